#!/bin/sh
# Makes the secrets of a deployment in deploy/secrets/, which git ignores: sh deploy/secrets.sh [HOST NAME ...]
# Existing files are kept, except empty ones. To replace a secret, delete its file and run this again.
#
#   JWT_SECRET_KEY, SRVC_SHARED_SECRET, ENCRYPTION_KEY, REDIS_PASSWORD   256 random bits each
#   tls.crt, tls.key     a self-signed certificate for localhost, cachefront and the names given, for a year; replace
#                        them by real ones if callers cannot be configured to trust this one
#   kustomization.yaml   deploys deploy/kubernetes/overlays/production with these secrets, see deploy/kubernetes/README.md
set -eu
umask 077

command -v openssl > /dev/null || {
    echo "secrets.sh: openssl is not installed, and nothing was made: it makes the random numbers and the certificate" >&2
    exit 1
}
mkdir -p "$(dirname "$0")/secrets"
cd "$(dirname "$0")/secrets"

# Containers read these files as another user, and Compose mounts them with the mode that they have here. So everybody may
# read the files, and the mode of this folder protects them from other users of this machine.
chmod 700 .

# Writes standard input to the file $1, whole or not at all. All secrets and certificates have 64 bytes or more: with less
# input, the program before it has failed.
keep() {
    cat > "$1.new"
    [ "$(wc -c < "$1.new")" -ge 64 ] || {
        rm "$1.new"
        echo "secrets.sh: openssl has failed, and $1 was not made" >&2
        exit 1
    }
    chmod 644 "$1.new"
    mv "$1.new" "$1"
    echo "made deploy/secrets/$1"
}

for name in JWT_SECRET_KEY SRVC_SHARED_SECRET ENCRYPTION_KEY REDIS_PASSWORD; do
    # An empty file is no secret. Hexadecimal digits need no quotes in any of the programs that read them.
    [ -s "$name" ] || openssl rand -hex 32 | tr -d '\n' | keep "$name"
done

if [ ! -s tls.crt ] && [ ! -s tls.key ]; then
    names=DNS:localhost,IP:127.0.0.1,DNS:cachefront
    for host in "$@"; do names=$names,DNS:$host; done
    # CA:FALSE, because strict clients refuse the certificate of an authority as that of a server.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=cachefront \
        -addext "subjectAltName=$names" -addext basicConstraints=critical,CA:FALSE \
        -keyout key.pem -out cert.pem 2> openssl.log || {
        cat openssl.log >&2
        rm -f key.pem cert.pem openssl.log
        echo "secrets.sh: openssl has failed, and the certificate was not made" >&2
        exit 1
    }
    rm openssl.log
    keep tls.key < key.pem
    keep tls.crt < cert.pem
    rm key.pem cert.pem
elif [ ! -s tls.crt ] || [ ! -s tls.key ]; then
    echo "secrets.sh: of tls.crt and tls.key, one is missing or empty: add it, or delete the other one to have both made" >&2
    exit 1
fi

[ -e kustomization.yaml ] || cat > kustomization.yaml <<'EOF'
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization

# Or ../kubernetes/overlays/dev.
resources:
  - ../kubernetes/overlays/production

secretGenerator:
  - name: cachefront
    behavior: replace
    files:
      - JWT_SECRET_KEY
      - SRVC_SHARED_SECRET
      - ENCRYPTION_KEY
  - name: redis
    behavior: replace
    files:
      - REDIS_PASSWORD

# Where your image is.
images:
  - name: cachefront
    newName: cachefront
    newTag: 0.1.0
EOF
