/** What a unit file must say so that the service is the same node as the person's own commands. */
export interface ServiceFacts {
  /** Absolute, of Node. */
  readonly node: string;
  /** Absolute, of cis. */
  readonly cis: string;
  readonly homeDir: string;
  /** Agents are looked for there, as in the person's shell. */
  readonly path: string;
  /** Null: the one of the config. */
  readonly room: string | null;
}

function argv({ node, cis, room }: ServiceFacts): string[] {
  return [node, cis, 'node', 'start', ...(room === null ? [] : ['--room', room])];
}

/**
 * A user's service: it needs no root, and its sessions are the user's. `KillMode=process`: sessions live in the host, which must
 * outlive a restart of the node.
 */
export function systemdUnit(facts: ServiceFacts): string {
  return `# Write this to ~/.config/systemd/user/cis-node.service, then:
#   systemctl --user daemon-reload && systemctl --user enable --now cis-node
#   loginctl enable-linger   (so that it runs while you are not logged in)
[Unit]
Description=cis node
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=simple
ExecStart=${argv(facts)
    .map((word) => systemdWord(word.replaceAll('$', '$$$$')))
    .join(' ')}
Environment=${systemdWord(`CIS_HOME=${facts.homeDir}`)}
Environment=${systemdWord(`PATH=${facts.path}`)}
Restart=always
RestartSec=5
KillMode=process
TimeoutStopSec=30

[Install]
WantedBy=default.target
`;
}

/** systemd expands % everywhere, and $ in commands only; within quotes it reads \\ and \". */
function systemdWord(text: string): string {
  const escaped = text.replaceAll('%', '%%');
  if (/^[A-Za-z0-9_@%+=:,./$!#-]+$/.test(escaped)) return escaped;
  return `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

export function launchdUnit(facts: ServiceFacts): string {
  const words = argv(facts)
    .map((word) => `    <string>${xml(word)}</string>`)
    .join('\n');
  const log = xml(`${facts.homeDir}/logs/node.log`);
  return `<?xml version="1.0" encoding="UTF-8"?>
<!-- Write this to ~/Library/LaunchAgents/cis.node.plist, then:
     launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/cis.node.plist -->
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>cis.node</string>
  <key>ProgramArguments</key>
  <array>
${words}
  </array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>CIS_HOME</key>
    <string>${xml(facts.homeDir)}</string>
    <key>PATH</key>
    <string>${xml(facts.path)}</string>
  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>AbandonProcessGroup</key>
  <true/>
  <key>StandardOutPath</key>
  <string>${log}</string>
  <key>StandardErrorPath</key>
  <string>${log}</string>
</dict>
</plist>
`;
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
