# Prints what zsh offers at the end of the line $1, as if somebody had typed it and pressed Tab.
# The folder that it runs in holds `_lagoa`.
zmodload zsh/zpty
setopt extended_glob
cat > child.zsh <<'END'
PROMPT= RPROMPT=
stty cols 2000 rows 1000
fpath=($PWD $fpath)
autoload -Uz compinit
compinit -u -D
zstyle ':completion:*' list-grouped false
zstyle ':completion:*' verbose false
setopt no_list_beep no_prompt_sp
bindkey '^I' list-choices
print ready
END
zpty -b child zsh -f -i
zpty -w child 'source child.zsh'
text= piece=
until [[ $text == *$'\n'ready* || $text == *ready$'\r'* ]]; do
    zpty -r -t child piece && text+=$piece || sleep 0.05
done
zpty -w -n child "$1"$'\t'
text= quiet=0
# Nothing more for a second: it is done.
while (( quiet < 20 )); do
    if zpty -r -t child piece; then text+=$piece quiet=0; else (( quiet++ )); sleep 0.05; fi
done
zpty -d child
print -r -- "${text//$'\e'\[[0-9;?]#[a-zA-Z]/ }"
