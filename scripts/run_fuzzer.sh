#!/usr/bin/env bash
# run_fuzzer.sh PROGRAM SECONDS: runs one libFuzzer program from its seeds (fuzz/corpus/<name>) and from what earlier runs
# found (corpus/ beside the program). A crash leaves its input in crashes/ there and fails.
set -euo pipefail

program=$1
seconds=$2
name=$(basename "$program")
folder=$(cd "$(dirname "$program")" && pwd)
seeds=$(cd "$(dirname "$0")/.." && pwd)/fuzz/corpus/$name
found=$folder/corpus/$name
crashes=$folder/crashes
mkdir -p "$found" "$crashes"

folders=("$found")
if [[ -d $seeds ]]; then folders+=("$seeds"); fi

# -timeout: an input that takes this long is a hang; -malloc_limit_mb: so is believing a claimed size.
exec "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=512 -max_len=65536 \
  -artifact_prefix="$crashes/$name-" -print_final_stats=1 "${folders[@]}"
