#!/bin/sh
# api_says_what_is_wrong.sh - both listeners refuse what they must, each time with status, code and words; nothing is changed by it.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

start_stack 1 start=no
m dev device hand --dir "$stack_folder" --out "$stack_folder/keys" > "$stack_folder/hand.json"
hand=$(jq -r '.[0].id' "$stack_folder/hand.json")
{ echo id,spki_sha256,name; jq -r '.[0] | [.id, .spki_sha256, .name] | join(",")' "$stack_folder/hand.json"; } > "$stack_folder/hand.csv"
code 0 m device import "$stack_folder/hand.csv"
token=$(cat "$stack_folder/token")
ca=$stack_folder/ca.pem
operator=https://127.0.0.1:$stack_operator_port/api/v1
device=https://127.0.0.1:$stack_device_port/device/v1
key=$stack_folder/keys/hand.key
cert=$stack_folder/keys/hand.pem

# problem STATUS CODE CURL-ARGUMENTS...: the reply is that problem, complete.
problem() {
    want_status=$1 want_code=$2
    shift 2
    body=$(curl -sS --cacert "$ca" -w '\n%{http_code} %{content_type}' "$@")
    equal "$want_status application/problem+json" "$(printf '%s' "$body" | tail -n 1)" "status and type of $*"
    printf '%s' "$body" | sed '$d' | jq -e --arg code "$want_code" \
        '.code == $code and (.detail | length > 0) and (.hint | length > 0) and (.request_id | length == 16)' > /dev/null ||
        die "$*: expected a complete problem $want_code, found $body"
}

auth() { want=$1; shift; problem "$want" "$@" -H "Authorization: Bearer $token"; }

# Who asks.
problem 401 E2009 "$operator/devices"
problem 401 E2009 -H 'Authorization: Bearer moult_wrong' "$operator/devices"
problem 401 E2009 -H 'Authorization: Basic eDp5' "$operator/devices"

# What is asked for.
auth 404 E2002 "$operator/nothing"
auth 405 E2003 -X DELETE "$operator/devices"
auth 400 E2022 "$operator/devices?limit=501"
auth 400 E2022 "$operator/devices?colour=red"
auth 404 E2021 "$operator/devices/00000000000000000000000000000000"
auth 404 E2021 "$operator/rollouts/nothing"
auth 400 E2006 -d '{' -H 'Content-Type: application/json' "$operator/rollouts"
auth 400 E2006 -d '[]' -H 'Content-Type: application/json' "$operator/rollouts"

# A release: bytes under another name, a statement that is none, one whose image is not here.
auth 422 E2211 -T "$key" "$operator/artifacts/0000000000000000000000000000000000000000000000000000000000000000"
dd if=/dev/urandom of="$stack_folder/noise" bs=300 count=1 2> /dev/null
status=$(curl -sS --cacert "$ca" -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" \
    --data-binary @"$stack_folder/noise" -H 'Content-Type: application/cose' "$operator/releases")
equal 422 "$status" "status of a statement that is noise"
equal 3 "$(m release list | jq '.items | length')" "releases after all that"

# Devices: without a certificate there is no connection; with one, only what the protocol has.
if curl -sS --cacert "$ca" "$device/keyset/1" > /dev/null 2>&1; then die "the device listener answered without a certificate"; fi
as_device() { want_device=$1; shift; problem "$want_device" "$@" --cert "$cert" --key "$key"; }
as_device 404 E2021 "$device/keyset/2"
as_device 404 E2021 "$device/keyset/01"
as_device 404 E2021 "$device/release/00"
as_device 404 E2210 "$device/artifact/0000000000000000000000000000000000000000000000000000000000000000"
as_device 400 E2006 --data-binary @"$stack_folder/noise" "$device/checkin"
equal 200 "$(curl -sS --cacert "$ca" --cert "$cert" --key "$key" -o "$stack_folder/keyset" -w '%{http_code}' "$device/keyset/1")" "the keyset"
cmp "$stack_folder/keyset" "$stack_folder/keyset.cbor"

# A rejected device is not even listened to.
command moult --quiet device reject "$hand" > /dev/null
as_device 401 E2012 "$device/keyset/1"

# The audit log has every change, also the refused ones, in one chain.
curl -sS --cacert "$ca" -H "Authorization: Bearer $token" "$operator/audit" |
    jq -e '[.items[].index] == [range(1; (.items | length) + 1)] and (.items | length) > 3' > /dev/null || die "audit rows have gaps"
finish
