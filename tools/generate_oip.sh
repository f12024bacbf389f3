#!/bin/sh
# Regenerates src/offramp/wire/open_inference_pb2.py and .pyi from the .proto beside them.
#
# grpcio-tools 1.72 writes code for protobuf 6.30, the oldest one that offramp supports; newer tools would
# write code that refuses it. The compiler lives in a temporary environment: nobody else needs it.
set -eu
cd "$(dirname "$0")/.."
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "grpcio-tools==1.72.2" "setuptools<81"
"$venv/bin/python" -m grpc_tools.protoc -Isrc --python_out=src --pyi_out=src \
  src/offramp/wire/open_inference.proto
