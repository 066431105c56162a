.DEFAULT_GOAL := help
.PHONY: help run test test-short test-wire test-kms bench build lint fmt gen check clean with

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
SOURCES = $(wildcard cmd internal pkg)
# Build tags: kms for a binary that can keep its keys at a key-management service.
TAGS ?=
KMS = ./internal/keyring/kms/...

# The version comes from VERSION. Go's own stamping fails outside a repository, or in another user's.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' Makefile

run: build ## Run a complete copy on http://127.0.0.1:8080, with everything embedded
	bin/latchkey dev

test: test-wire with ## Run all tests, race detector on, against a real PostgreSQL and Redis
	@.ci/install postgres redis chromium gcc
	CGO_ENABLED=1 bin/with -- go test -race -vet=off -tags '$(TAGS)' ./...

test-short: ## Run the tests that need no server
	go test -short -tags '$(TAGS)' ./...

WIRE = internal/app/wiretest
test-wire: build $(WIRE)/node_modules/.package-lock.json ## Run the built binary's tests, in JavaScript with published client libraries
	@.ci/install node chromium openssl
	cd $(WIRE) && node run.js

# npm writes this file last, so it is as new as what is installed.
$(WIRE)/node_modules/.package-lock.json: $(WIRE)/package.json $(WIRE)/package-lock.json
	@.ci/install node
	cd $(WIRE) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

test-kms: ## Run the tests of the key-management services' clients; a real Vault in LATCHKEY_TEST_VAULT
	go test -tags kms $(KMS)

bench: build ## Measure, against a real PostgreSQL and Redis; options in ARGS
	@.ci/install postgres redis
	CGO_ENABLED=0 go build -trimpath -o bin/bench ./internal/app/bench
	bin/bench $(ARGS)

build: ## Build bin/latchkey, static; TAGS=kms with key-management services
	CGO_ENABLED=0 go build -trimpath -tags '$(TAGS)' -ldflags '-s -w -X main.version=$(VERSION)' -o bin/latchkey ./cmd/latchkey

# Built and not "go run", which dies of a signal without passing it on.
with:
	@CGO_ENABLED=0 go build -o bin/with ./internal/testservers/with

lint: ## Check formatting, go vet, staticcheck
	@unformatted=$$(gofmt -l $(SOURCES)); [ -z "$$unformatted" ] || { echo "make fmt would change: $$unformatted"; exit 1; }
	go vet ./...
	go vet -tags kms $(KMS)
	go run $(STATICCHECK) -checks inherit,ST1000 ./...
	go run $(STATICCHECK) -checks inherit,ST1000 -tags kms $(KMS)

fmt: ## Format the code
	gofmt -l -w $(SOURCES)

gen: ## Write generated code anew
	@if grep -rq --include='*.go' '^//go:generate ' $(SOURCES); then go generate ./...; else echo 'No code is generated.'; fi

check: ## Do exactly what CI does: lint and test
	.ci/run

clean: ## Remove what building and testing left behind
	rm -rf bin internal/app/wiretest/node_modules
