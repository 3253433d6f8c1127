/**
 * What each shell sources. All ask `cis complete` for the words, so that runs and sessions are those there are now.
 * In bash a colon ends a word (COMP_WORDBREAKS), so what stands before the last one is taken off the offers again.
 */
export const scripts = {
  bash: `_cis() {
  local line="\${COMP_LINE:0:COMP_POINT}" words current offers
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current="\${words[\${#words[@]}-1]}"
  COMPREPLY=()
  mapfile -t offers < <(cis complete -- "\${words[@]:1}" 2>/dev/null)
  local offer before=""
  [[ $current == *:* && $COMP_WORDBREAKS == *:* ]] && before="\${current%:*}:"
  for offer in "\${offers[@]}"; do
    if [[ $offer == :files ]]; then
      compopt -o filenames 2>/dev/null
      mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
    else
      COMPREPLY+=("\${offer#"$before"}")
    fi
  done
}
complete -F _cis cis
`,
  zsh: `#compdef cis
_cis() {
  local -a offers
  offers=("\${(@f)$(cis complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if (( \${offers[(Ie):files]} )); then
    _files
    offers=("\${(@)offers:#:files}")
  fi
  offers=("\${(@)offers:#}")
  (( \${#offers} )) && compadd -Q -- "\${offers[@]}"
}
compdef _cis cis
`,
  fish: `function __cis_offers
  set -l words (commandline -opc) (commandline -ct)
  for offer in (cis complete -- $words[2..-1] 2>/dev/null)
    if test "$offer" = ":files"
      __fish_complete_path (commandline -ct)
    else
      echo $offer
    end
  end
end
complete -c cis -f -a '(__cis_offers)'
`,
} as const;
