# What the scripts here share: finds cargo and servers, and installs servers where that is possible.
# Sourced by `demo` and `test`; `me` is the name that messages begin with.

say()  { printf "$me: %s\n" "$*" >&2; }
fail() { say "$*"; exit 1; }
has()  { command -v "$1" >/dev/null 2>&1; }

# Servers of Debian live where a plain user's PATH does not look.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/opt/homebrew/bin:/usr/local/bin"

need_cargo() {
    if has cargo; then return; fi
    if [ -x "$HOME/.cargo/bin/cargo" ]; then
        export PATH="$HOME/.cargo/bin:$PATH"
        return
    fi
    fail 'cargo is missing: install Rust from https://rustup.rs and run this again'
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() {
    [ "$(id -u)" = 0 ] || { has sudo && sudo -n true 2>/dev/null; }
}

# Debian starts and enables a service with its package. We want the binary alone, so for the time
# of the installation a policy forbids starting, and afterwards the new services are disabled.
install_with_apt() {
    local policy=/usr/sbin/policy-rc.d ours=no status=0
    say "installing with apt: $* (their services are neither started nor enabled)"
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        ours=yes
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
        as_root chmod 755 "$policy"
    fi
    {
        as_root apt-get update -qq &&
            as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    } </dev/null || status=$?
    if [ "$ours" = yes ]; then
        as_root rm -f "$policy"
        trap - EXIT
    fi
    if [ "$status" != 0 ]; then fail "apt could not install: $*"; fi
    if has systemctl; then
        for package in "$@"; do
            # Without a running systemd there is nothing to disable.
            as_root systemctl disable "$package" >/dev/null 2>&1 || true
        done
    fi
}

need_servers() {
    local missing=()
    if ! has redis-server; then missing+=(redis-server); fi
    if ! has memcached; then missing+=(memcached); fi
    if [ "${#missing[@]}" = 0 ]; then return; fi
    if has apt-get && can_be_root; then
        install_with_apt "${missing[@]}"
    elif has brew; then
        say "installing with brew: ${missing[*]/redis-server/redis}"
        brew install --quiet "${missing[@]/redis-server/redis}" </dev/null
    else
        fail "please install ${missing[*]} with your system's package manager and run this again"
    fi
    for server in "${missing[@]}"; do
        has "$server" || fail "$server is still missing after its installation"
    done
}
