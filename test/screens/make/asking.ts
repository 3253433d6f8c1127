import type { Point, Step } from '../../agents/recorder.ts';

export interface Scene {
  readonly name: string;
  readonly setup?: string;
  readonly run: string;
  readonly as?: 'root' | 'dev';
  /** A coding agent instead of an ordinary command; found in `CIS_SCREEN_TOOLS`. */
  readonly agent?: string;
  readonly version?: string;
  readonly cols?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

type Kind = NonNullable<Point['kind']>;

function asks(see: RegExp, kind: Kind, more: Partial<Point> = {}): Step {
  return { see, is: { state: 'blocked', kind, ...more }, withinMs: 8_000, holdMs: 500 };
}

const keys = (text: string): Step => ({ keys: text });
const repo = 'git init -q . && echo one > a.txt && git add . && git commit -qm first';

/** Commands that wait for a person, and what each asks. */
export const asking: readonly Scene[] = [
  { name: 'read-p', run: 'read -p "Deploy to production? " x', steps: [asks(/Deploy/u, 'question'), keys('y\r')] },
  { name: 'read-yn', run: 'read -p "Remove 14 stale branches? [y/N] " x; sleep 1', steps: [asks(/Remove/u, 'approval')] },
  { name: 'read-key', run: 'read -n1 -s -r -p "Press any key to continue..."', steps: [asks(/any key/u, 'question')] },
  { name: 'read-secret', run: 'read -s -p "Vault password: " x', steps: [asks(/Vault/u, 'password')] },
  { name: 'bash-select', run: 'PS3="Which environment? "; select e in dev staging production; do echo $e; break; done', steps: [asks(/Which/u, 'question')] },
  { name: 'bash-select-plain', run: 'select e in dev staging production; do break; done', steps: [asks(/#\?/u, 'question')] },
  { name: 'rm-i', setup: 'touch notes.md', run: 'rm -i notes.md', steps: [asks(/remove/u, 'approval')] },
  { name: 'rm-protected', setup: 'touch notes.md; chmod 400 notes.md', run: 'rm notes.md', steps: [asks(/remove/u, 'approval')] },
  { name: 'cp-i', setup: 'touch a b', run: 'cp -i a b', steps: [asks(/overwrite/u, 'approval')] },
  { name: 'mv-i', setup: 'touch a b', run: 'mv -i a b', steps: [asks(/overwrite/u, 'approval')] },
  { name: 'ln-i', setup: 'touch a b', run: 'ln -i a b', steps: [asks(/replace/u, 'approval')] },
  { name: 'less', run: 'seq 200 | less', steps: [asks(/^:/mu, 'question'), keys('G'), asks(/END/u, 'question')] },
  { name: 'less-file', setup: 'seq 300 > numbers.txt', run: 'less numbers.txt', steps: [asks(/numbers\.txt/u, 'question'), keys('G'), asks(/END/u, 'question')] },
  { name: 'more', setup: 'seq 300 > numbers.txt', run: 'more numbers.txt', steps: [asks(/More/u, 'question')] },
  { name: 'man', run: 'man man', steps: [asks(/Manual page/u, 'question')] },
  { name: 'git-log-pager', setup: `${repo}; for i in $(seq 30); do git commit -q --allow-empty -m "change $i"; done`, env: { GIT_PAGER: 'less' }, run: 'git log', steps: [asks(/^:/mu, 'question'), keys('G'), asks(/END/u, 'question')] },
  { name: 'vim', setup: 'echo hello > a.txt', run: 'vim -u DEFAULTS a.txt', steps: [asks(/hello/u, 'question'), keys('i'), asks(/INSERT/u, 'question')] },
  { name: 'vim-new', run: 'vim -u NONE plan.md', steps: [asks(/plan\.md/u, 'question')] },
  { name: 'nano', setup: 'echo hello > a.txt', run: 'nano a.txt', steps: [asks(/Exit/u, 'question'), keys('x\x18'), asks(/Save modified/u, 'approval')] },
  { name: 'git-commit', setup: `${repo}; echo two >> a.txt`, env: { EDITOR: 'vim -u NONE' }, run: 'git commit -a', steps: [asks(/Please enter the commit message/u, 'question')] },
  { name: 'git-commit-nano', setup: `${repo}; echo two >> a.txt`, env: { EDITOR: 'nano' }, run: 'git commit -a', steps: [asks(/Please enter the commit message/u, 'question')] },
  { name: 'git-rebase-i', setup: `${repo}; git commit -q --allow-empty -m second; git commit -q --allow-empty -m third`, env: { EDITOR: 'vim -u NONE' }, run: 'git rebase -i HEAD~2', steps: [asks(/pick/u, 'question')] },
  { name: 'git-merge', setup: `${repo}; git checkout -qb side; git commit -q --allow-empty -m s; git checkout -q -; git commit -q --allow-empty -m m`, env: { EDITOR: 'vim -u NONE' }, run: 'git merge --no-ff side', steps: [asks(/Merge branch/u, 'question')] },
  { name: 'git-add-p', setup: `${repo}; echo two >> a.txt`, run: 'git add -p', steps: [asks(/Stage this hunk/u, 'approval')] },
  { name: 'git-add-i', setup: `${repo}; echo two >> a.txt`, run: 'git add -i', steps: [asks(/What now/u, 'question')] },
  { name: 'git-clean-i', setup: `${repo}; touch junk`, run: 'git clean -i', steps: [asks(/What now/u, 'question')] },
  { name: 'git-credential', run: 'echo "url=https://git.example/team/app" | git -c credential.helper= credential fill', steps: [asks(/Username/u, 'question'), keys('dev\r'), asks(/Password/u, 'password')] },
  { name: 'npm-init', run: 'npm init', steps: [asks(/package name/u, 'question'), keys('\r'), asks(/version/u, 'question'), keys('\r'), { wait: /description/u }, keys('\r'), { wait: /entry point/u }, keys('\r'), { wait: /test command/u }, keys('\r'), { wait: /git repository/u }, keys('\r'), { wait: /keywords/u }, keys('\r'), { wait: /author/u }, keys('\r'), { wait: /license/u }, keys('\r'), { wait: /type:|OK/u }, keys('\r'), asks(/Is this OK/u, 'approval')] },
  { name: 'npx-proceed', run: 'printf "Need to install the following packages:\\ncowsay@1.6.0\\nOk to proceed? (y) "; read x', steps: [asks(/Ok to proceed/u, 'approval')] },
  { name: 'python', run: 'python3 -q', steps: [asks(/>>>/u, 'question'), keys('print(2)\r'), asks(/^2[^]*>>>/mu, 'question')] },
  { name: 'python-input', run: `python3 -c 'input("Name of the release: ")'`, steps: [asks(/release/u, 'question')] },
  { name: 'python-getpass', run: `python3 -c 'import getpass; getpass.getpass()'`, steps: [asks(/Password/u, 'password')] },
  { name: 'python-pdb', run: `python3 -c 'breakpoint()'`, steps: [asks(/Pdb/u, 'question')] },
  { name: 'node', run: 'node', steps: [asks(/Welcome[^]*>/u, 'question')] },
  { name: 'node-question', run: `node -e 'const r=require("readline").createInterface(process.stdin,process.stdout);r.question("Continue with 3 workers? ",()=>r.close())'`, steps: [asks(/Continue/u, 'question')] },
  { name: 'irb', run: 'irb --nocolorize --nomultiline', steps: [asks(/irb\(main\)/u, 'question')] },
  { name: 'gdb', run: 'gdb -q /bin/true', steps: [asks(/\(gdb\)/u, 'question')] },
  { name: 'sqlite3', run: 'sqlite3', steps: [asks(/sqlite>/u, 'question')] },
  { name: 'bc-interactive', run: 'ftp', steps: [asks(/ftp>/u, 'question')] },
  { name: 'telnet', run: 'telnet', steps: [asks(/telnet>/u, 'question')] },
  { name: 'lftp', run: 'lftp', steps: [asks(/lftp/u, 'question')] },
  { name: 'psql-password', run: 'PGPASSWORD= psql -W -h 127.0.0.1 -U dev', steps: [asks(/Password/u, 'password')] },
  { name: 'mysql-password', run: 'mysql -h 127.0.0.1 -u dev -p', steps: [asks(/Enter password/u, 'password')] },
  { name: 'ssh-keygen', run: 'ssh-keygen -t ed25519', steps: [asks(/Enter file/u, 'question'), keys('/home/dev/k\r'), asks(/Enter passphrase/u, 'password'), keys('\r'), asks(/again/u, 'password')] },
  { name: 'ssh-host-key', as: 'root', setup: 'mkdir -p /run/sshd; ssh-keygen -A >/dev/null; /usr/sbin/sshd -p 2222 -o ListenAddress=127.0.0.1', run: 'ssh -o UserKnownHostsFile=/tmp/known -o StrictHostKeyChecking=ask -p 2222 dev@127.0.0.1', steps: [asks(/continue connecting/u, 'trust'), keys('yes\r'), asks(/password:/u, 'password')] },
  { name: 'sudo', as: 'dev', run: 'sudo -k ls', steps: [asks(/password for dev/u, 'password'), keys('wrong\r'), asks(/try again[^]*password for dev/u, 'password')] },
  { name: 'su', run: 'su -', steps: [asks(/Password/u, 'password')] },
  { name: 'passwd', run: 'passwd', steps: [asks(/Current password/u, 'password')] },
  { name: 'passwd-root', as: 'root', run: 'passwd dev', steps: [asks(/New password/u, 'password')] },
  { name: 'adduser', as: 'root', run: 'adduser --no-create-home --disabled-password sample; deluser -q sample', steps: [asks(/Full Name/u, 'question'), keys('\r\r\r\r\r'), asks(/correct\?/u, 'approval'), keys('y\r')] },
  { name: 'fzf', run: 'printf "alpha\\nbeta\\ngamma\\n" | fzf', steps: [asks(/3\/3/u, 'menu')] },
  { name: 'whiptail-yesno', run: 'whiptail --title Upgrade --yesno "Restart services during package upgrades without asking?" 10 60', steps: [asks(/<Yes>/u, 'approval')] },
  { name: 'whiptail-menu', run: 'whiptail --title Boot --menu "Choose a kernel" 15 60 3 1 "6.1.0-18" 2 "6.1.0-17" 3 "rescue"', steps: [asks(/<Ok>/u, 'menu')] },
  { name: 'whiptail-msgbox', run: 'whiptail --title Notice --msgbox "The new kernel needs a restart." 10 60', steps: [asks(/<Ok>/u, 'question')] },
  { name: 'dialog-yesno', run: 'dialog --title Delete --yesno "Delete 12 files?" 8 40', steps: [asks(/< ?Yes/u, 'approval')] },
  { name: 'dialog-input', run: 'dialog --inputbox "Your name:" 8 40', steps: [asks(/Your name/u, 'question')] },
  { name: 'gpg-gen', run: 'gpg --full-generate-key', steps: [asks(/Your selection/u, 'question')] },
  { name: 'openssl-key', run: 'openssl genrsa -aes256 -out key.pem 2048', steps: [asks(/pass phrase/u, 'password')] },
  { name: 'openssl-req', run: 'openssl req -new -newkey rsa:2048 -nodes -keyout key.pem -out req.pem', steps: [asks(/Country Name/u, 'question')] },
  { name: 'zip-encrypt', setup: 'echo a > a', run: 'zip -e a.zip a', steps: [asks(/Enter password/u, 'password')] },
  { name: 'unzip-replace', setup: 'echo a > a; zip -q a.zip a', run: 'unzip a.zip', steps: [asks(/replace a\?/u, 'approval')] },
  { name: '7z-overwrite', setup: 'echo a > a; 7z a a.7z a', run: '7z x a.7z', steps: [asks(/Would you like to replace/u, 'approval')] },
  { name: 'crontab-e', env: { EDITOR: 'nano' }, run: 'crontab -e', steps: [asks(/Exit/u, 'question')] },
  { name: 'mc', run: 'mc -d', cols: 100, rows: 30, steps: [asks(/Quit/u, 'menu')] },
  { name: 'tig', setup: repo, run: 'tig', steps: [asks(/first/u, 'question')] },
  { name: 'apt', as: 'root', run: `printf 'Reading package lists... Done\\nBuilding dependency tree... Done\\nThe following NEW packages will be installed:\\n  sl\\n0 upgraded, 1 newly installed, 0 to remove and 3 not upgraded.\\nNeed to get 12.7 kB of archives.\\nDo you want to continue? [Y/n] '; read x`, steps: [asks(/continue\?/u, 'approval')] },
  { name: 'apt-remove', as: 'root', run: 'apt-get remove ed', steps: [asks(/continue\?/u, 'approval'), keys('n\r')] },
  { name: 'dpkg-conffile', run: `printf "Configuration file '/etc/app.conf'\\n ==> Modified (by you or by a script) since installation.\\n   What would you like to do about it ?  Your options are:\\n    Y or I  : install the package maintainer's version\\n    N or O  : keep your currently-installed version\\n      D     : show the differences between the versions\\n      Z     : start a shell to examine the situation\\n The default action is to keep your current version.\\n*** app.conf (Y/I/N/O/D/Z) [default=N] ? "; read x`, steps: [asks(/default=N/u, 'approval')] },
  { name: 'dpkg-reconfigure', as: 'root', run: 'dpkg-reconfigure -p low man-db', env: { DEBIAN_FRONTEND: 'dialog' }, steps: [asks(/<Yes>|<Ok>/u, 'approval')] },
  { name: 'gh-login', run: 'gh auth login', steps: [asks(/GitHub/u, 'login')] },
  { name: 'docker-login', run: 'docker login -u dev 127.0.0.1:1', steps: [asks(/Password/u, 'password')] },
  { name: 'fdisk', setup: 'truncate -s 10M disk.img', run: '/sbin/fdisk disk.img', steps: [asks(/Command \(m for help\)/u, 'question')] },
  { name: 'parted', setup: 'truncate -s 10M disk.img', run: '/sbin/parted disk.img', steps: [asks(/\(parted\)/u, 'question')] },
  { name: 'ed-prompt', setup: 'echo hello > a', run: "ed -p 'ed> ' a", steps: [asks(/ed>/u, 'question')] },
  { name: 'xargs-p', run: 'echo a b | xargs -p echo', steps: [asks(/echo a b/u, 'approval')] },
  { name: 'find-ok', setup: 'touch a', run: "find . -name a -ok rm '{}' ';'", steps: [asks(/rm/u, 'approval')] },
  { name: 'terraform-like', run: `printf 'Plan: 3 to add, 0 to change, 1 to destroy.\\n\\nDo you want to perform these actions?\\n  Terraform will perform the actions described above.\\n  Only "yes" will be accepted to approve.\\n\\n  Enter a value: '; read x`, steps: [asks(/Enter a value/u, 'question')] },
  { name: 'device-code', run: `printf '! First copy your one-time code: 4F2A-9C31\\nPress Enter to open https://github.example/login/device in your browser... '; read x`, steps: [asks(/one-time code/u, 'login')] },
  { name: 'inquirer-list', run: `printf '? What do you want to use? (Use arrow keys)\\n\\033[36m\\u276f TypeScript\\033[39m\\n  JavaScript\\n  Rust\\n'; read -s x`, steps: [asks(/Use arrow/u, 'question', { selected: 0 })] },
  { name: 'clack-select', run: `printf '\\u25c6  Pick a framework.\\n\\u2502  \\u25cf Vanilla\\n\\u2502  \\u25cb Vue\\n\\u2502  \\u25cb React\\n\\u2514\\n'; read -s x`, steps: [asks(/Pick a framework/u, 'question')] },
  { name: 'survey-confirm', run: `printf '? Are you sure you want to delete the cluster? (y/N) '; read x`, steps: [asks(/Are you sure/u, 'approval')] },
  { name: 'alembic-prompts', run: `printf '\\n\\033[1mWarning:\\033[0m unsaved changes in 2 files.\\nSave before leaving? (y)es / (n)o / (c)ancel: '; read x`, steps: [asks(/Save before/u, 'approval')] },
];
