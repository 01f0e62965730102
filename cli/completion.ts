// Completion scripts for shells, written from the tree of commands itself, so that they cannot fall behind it. They hold
// all words; no process is started while the user types. (`path` would be PATH in zsh, so scripts call it `trail`.)
import type { Command as Program } from 'commander';

interface Level {
  /** Names of the commands that lead here, after `wattle`. */
  readonly path: readonly string[];
  readonly words: readonly { readonly word: string; readonly about: string }[];
  readonly options: readonly { readonly flag: string; readonly about: string; readonly value: boolean }[];
}

/** Every command with what may follow it, options of its parents included. */
function listLevels(program: Program, path: readonly string[] = []): Level[] {
  const help = program.createHelp();
  const level: Level = {
    path,
    words: program.commands.map((child) => ({ word: child.name(), about: child.description() })),
    options: [...help.visibleOptions(program), ...help.visibleGlobalOptions(program)].flatMap((option) =>
      option.long ? [{ flag: option.long, about: option.description, value: option.required || option.optional }] : [],
    ),
  };
  return [level, ...program.commands.flatMap((child) => listLevels(child, [...path, child.name()]))];
}

const brief = (text: string): string => text.replace(/[^\w ,.()/=-]/g, '').slice(0, 70);

function createBash(levels: readonly Level[]): string {
  const cases = levels.map(
    ({ path, words, options }) =>
      `    '${path.join(' ')}') words='${[...words.map(({ word }) => word), ...options.map(({ flag }) => flag)].join(' ')}' ;;`,
  );
  return `# wattle completion for bash: source <(wattle completion bash)
_wattle() {
  local current="\${COMP_WORDS[COMP_CWORD]}" trail='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case " $(_wattle_paths) " in *" \${trail:+$trail/}$word "*) trail="\${trail:+$trail/}$word" ;; esac
  done
  case "\${trail//\\// }" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ \${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=($(compgen -f -- "$current"))
}
_wattle_paths() { echo '${levels.flatMap(({ path }) => (path.length ? [path.join('/')] : [])).join(' ')}'; }
complete -o filenames -F _wattle wattle
`;
}

function createZsh(levels: readonly Level[]): string {
  const cases = levels.map(({ path, words, options }) => {
    const entries = [
      ...words.map(({ word, about }) => `'${word}:${brief(about)}'`),
      ...options.map(({ flag, about }) => `'${flag}:${brief(about)}'`),
    ];
    return `    '${path.join(' ')}') entries=(${entries.join(' ')}) ;;`;
  });
  return `#compdef wattle
# wattle completion for zsh: wattle completion zsh > "\${fpath[1]}/_wattle"
_wattle() {
  local -a entries known
  local trail='' word
  known=(${levels.flatMap(({ path }) => (path.length ? [`'${path.join(' ')}'`] : [])).join(' ')})
  for word in "\${(@)words[2,CURRENT-1]}"; do
    if (( \${known[(Ie)\${trail:+$trail }$word]} )); then trail="\${trail:+$trail }$word"; fi
  done
  case "$trail" in
${cases.join('\n')}
  esac
  _describe 'wattle' entries || _files
}
if [ "$funcstack[1]" = "_wattle" ]; then _wattle "$@"; else compdef _wattle wattle; fi
`;
}

function createFish(levels: readonly Level[]): string {
  const condition = (path: readonly string[]): string =>
    path.length === 0
      ? '__fish_use_subcommand'
      : path.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
  const lines = levels.flatMap(({ path, words, options }) => {
    const unless =
      path.length === 1 && words.length
        ? `; and not __fish_seen_subcommand_from ${words.map(({ word }) => word).join(' ')}`
        : '';
    return [
      ...words.map(
        ({ word, about }) => `complete -c wattle -f -n '${condition(path)}${unless}' -a ${word} -d '${brief(about)}'`,
      ),
      ...options.map(
        ({ flag, about, value }) =>
          `complete -c wattle -n '${condition(path)}' -l ${flag.slice(2)}${value ? ' -r' : ''} -d '${brief(about)}'`,
      ),
    ];
  });
  return `# wattle completion for fish: wattle completion fish > ~/.config/fish/completions/wattle.fish\n${lines.join('\n')}\n`;
}

/** Script writers by shell. */
export const shells: Readonly<Record<string, (levels: readonly Level[]) => string>> = {
  bash: createBash,
  zsh: createZsh,
  fish: createFish,
};

/** The script for a shell of `shells`. */
export const createCompletion = (shell: string, program: Program): string => shells[shell]!(listLevels(program));
