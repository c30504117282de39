#!/bin/sh
# Options alone mean redis-server's; root hands over to the redis user. Protected mode is off as in the official image:
# a container is reached from other hosts only over the network that it was put on.
set -eu

case "${1:-redis-server}" in -*) set -- redis-server "$@" ;; esac
[ $# -gt 0 ] || set -- redis-server

if [ "$1" = redis-server ]; then
    shift
    set -- redis-server --protected-mode no "$@"
    if [ "$(id -u)" = 0 ]; then
        chown -R redis:redis /data
        exec gosu redis "$@"
    fi
fi
exec "$@"
