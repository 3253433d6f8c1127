import type { JsonObject } from '../http.ts';

export interface SynapseSettings {
  readonly serverName: string;
  readonly dir: string;
  readonly port: number;
  readonly registrationSecret: string;
  readonly macaroonSecret: string;
  readonly formSecret: string;
  /** More keys, for tests. */
  readonly extra?: JsonObject;
}

/**
 * Synapse's configuration; JSON is YAML. Loopback only, asks nobody on the internet, joins no federation. The names are the old
 * ones: `ip_range_blocklist` is silently ignored.
 */
export function synapseConfig(settings: SynapseSettings): JsonObject {
  const { dir } = settings;
  return {
    server_name: settings.serverName,
    public_baseurl: `http://127.0.0.1:${settings.port}/`,
    pid_file: `${dir}/homeserver.pid`,
    listeners: [
      {
        port: settings.port,
        bind_addresses: ['127.0.0.1'],
        type: 'http',
        tls: false,
        x_forwarded: false,
        resources: [{ names: ['client'], compress: false }],
      },
    ],
    database: { name: 'sqlite3', args: { database: `${dir}/homeserver.db` } },
    media_store_path: `${dir}/media`,
    signing_key_path: `${dir}/signing.key`,
    log_config: `${dir}/log.config`,
    registration_shared_secret: settings.registrationSecret,
    macaroon_secret_key: settings.macaroonSecret,
    form_secret: settings.formSecret,
    enable_registration: false,
    report_stats: false,
    suppress_key_server_warning: true,
    trusted_key_servers: [],
    ip_range_blacklist: ['0.0.0.0/0', '::/0'],
    federation_domain_whitelist: [],
    allow_public_rooms_over_federation: false,
    url_preview_enabled: false,
    presence: { enabled: false },
    ...settings.extra,
  };
}

export function synapseLogConfig(dir: string): JsonObject {
  return {
    version: 1,
    formatters: { plain: { format: '%(asctime)s %(levelname)s %(name)s %(message)s' } },
    handlers: {
      file: {
        class: 'logging.handlers.RotatingFileHandler',
        formatter: 'plain',
        filename: `${dir}/homeserver.log`,
        maxBytes: 5_000_000,
        backupCount: 1,
      },
    },
    root: { level: 'WARNING', handlers: ['file'] },
    disable_existing_loggers: false,
  };
}
