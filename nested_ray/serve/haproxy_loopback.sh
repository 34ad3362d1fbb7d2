#!/bin/sh
# HAProxy as Ray Serve starts it, with its statistics and metrics on loopback only: Serve's template
# binds them to every interface, and they ask for no key. The front's own address stays as configured.
previous=
for argument in "$@"; do
    if [ "$previous" = "-f" ] && [ -f "$argument" ]; then
        sed -i -E 's/^( *bind )\*?:([0-9]+) *$/\1127.0.0.1:\2/' "$argument"
    fi
    previous=$argument
done
exec "${NESTED_RAY_HAPROXY:-haproxy}" "$@"
