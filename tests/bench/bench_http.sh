#!/bin/sh
# bench_http.sh - our HTTP server beside nginx, in one run: server CPU per request, as ratios.
#
# Usage: MOULT_BIN=build/release/bin tests/bench/bench_http.sh [ROUNDS]
#
# Each load runs ROUNDS times (15) on either server in turn, and the least of each is compared: other
# work on the machine only ever adds. Fails when a ratio is over its budget in tests/bench/budgets.tsv.
# Without nginx it prints SKIP (77).
set -eu
rounds=${1:-15}
bin=${MOULT_BIN:?MOULT_BIN expects the folder with bench_http_server; ninja bench_programs makes it}
here=$(cd "$(dirname "$0")" && pwd)
budgets=$here/budgets.tsv
nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)
[ -n "$nginx" ] || { echo "SKIP: nginx is not installed (Debian package nginx-light)"; exit 77; }

dir=$(mktemp -d)
ours= theirs=
finish() {
    [ -z "$ours" ] || kill "$ours" 2>/dev/null || true
    [ -z "$theirs" ] || kill "$theirs" 2>/dev/null || true
    wait
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
    -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
mkdir "$dir/www"
head -c 1500000 /dev/urandom > "$dir/www/file" # about an ESP32 image
head -c 200 /dev/urandom > "$dir/www/poll"     # about a signed "none"

# --- ours ---
mkfifo "$dir/hold"
"$bin/bench_http_server" "$dir/cert.pem" "$dir/key.pem" "$dir/www/file" "$dir/www/poll" \
    < "$dir/hold" > "$dir/port" &
ours=$!
exec 3> "$dir/hold" # it lives as long as this script
for _ in $(seq 100); do [ -s "$dir/port" ] && break; sleep 0.05; done
our_port=$(cat "$dir/port")

# --- nginx: one process, as ours has one I/O thread ---
nginx_port=$((our_port + 1))
while :; do
    cat > "$dir/nginx.conf" <<T
daemon off; master_process off; pid $dir/pid; error_log $dir/error.log;
events { worker_connections 20000; }
http {
    access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 60s;
    client_body_temp_path $dir/b; proxy_temp_path $dir/p; fastcgi_temp_path $dir/f;
    uwsgi_temp_path $dir/u; scgi_temp_path $dir/s;
    ssl_certificate $dir/cert.pem; ssl_certificate_key $dir/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve X25519:prime256v1; ssl_session_tickets on;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384;
    ssl_conf_command Options PrioritizeChaCha;
    server { listen 127.0.0.1:$nginx_port ssl; root $dir/www; }
}
T
    "$nginx" -c "$dir/nginx.conf" -p "$dir" 2>/dev/null &
    theirs=$!
    for _ in $(seq 100); do # it writes its pid once it listens
        [ -s "$dir/pid" ] || ! kill -0 "$theirs" 2>/dev/null || { sleep 0.05; continue; }
        break
    done
    [ -s "$dir/pid" ] && break
    nginx_port=$((nginx_port + 1)) # taken: try the next
    [ $nginx_port -lt $((our_port + 50)) ] || { echo "nginx does not start:"; cat "$dir/error.log"; exit 1; }
done

least() { sort -n | head -n 1; }
budget() { awk -F '\t' -v key="$1" '$1 == key { print $2 }' "$budgets"; }
failed=0

# compare NAME UNIT KIND COUNT [CONNECTIONS]
compare() {
    name=$1 unit=$2
    shift 2
    : > "$dir/moult.txt"
    : > "$dir/nginx.txt"
    for _ in $(seq "$rounds"); do
        "$bin/bench_http_client" "$our_port" "$ours" "$@" >> "$dir/moult.txt"
        "$bin/bench_http_client" "$nginx_port" "$theirs" "$@" >> "$dir/nginx.txt"
    done
    a=$(least < "$dir/moult.txt") b=$(least < "$dir/nginx.txt")
    limit=$(budget "http_$name")
    awk -v n="$name" -v a="$a" -v b="$b" -v u="$unit" -v l="$limit" 'BEGIN {
        r = a / b; ok = l == "" || r <= l
        printf "%-10s %10.1f %10.1f %s  ratio %.2f%s\n", n, a, b, u, r,
               l == "" ? "" : sprintf("  budget %s%s", l, ok ? "" : "  OVER")
        exit !ok }' || failed=1
}

printf '%-10s %10s %10s\n' '' moult nginx
compare poll 'us/request' poll 5000 50
compare file 'us/file   ' file 32 16
compare range 'us/request' range 2000
compare handshake 'us/request' handshake 200
compare resume 'us/request' resume 200

bytes=$("$bin/bench_http_client" "$our_port" "$ours" idle 900)
limit=$(budget http_idle_connection)
printf '%-10s %10s bytes each, budget %s\n' idle "$bytes" "$limit"
[ -z "$limit" ] || [ "$bytes" -le "$limit" ] || failed=1
exit $failed
