.PHONY: all test e2e screenshots bench bench-table soak mutations providers race lint fuzz

FUZZTIME ?= 30s
BENCHTIME ?= 1s
SOAK ?= 1h

all: lint test

# Every test of all modules, with the race detector.
test:
	go test -race work

# A real browser at the embedded provider and at npm's oidc-provider.
# Needs Node and Chromium.
e2e:
	npm ci --prefix example-webapp/e2e
	npm test --prefix example-webapp/e2e

# A picture of every page in example-webapp/e2e/out/screenshots, with an index.html, and the README's.
# PAGES is a regular expression: the pages to take. Ten minutes.
screenshots:
	npm ci --prefix example-webapp/e2e
	PAGES='$(PAGES)' node example-webapp/e2e/screenshots.mjs

bench:
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) work

# The figures that docs/performance.md promises, as one table with today's ratios.
bench-table:
	go run ./internal/benchmarks

# Two replicas, 200 users and a fault every ten seconds, with each kind of store in turn, for SOAK in all.
# Needs Node, redis-server and PostgreSQL; with libfaketime the provider's clock goes wrong, too.
soak:
	cd example-webapp && SIGNET_TEST_ALL=1 SOAK=$(SOAK) nice go test -tags soak -run '^TestSoak$$' -count=1 -timeout 0 -v .

# The example's journey at providers of the registries, each at a fixed version: Keycloak and Spring Authorization Server (Java, Maven),
# oidc-provider and better-auth (Node), django-oauth-toolkit (Python).
# What can't be had is skipped, and says why.
providers:
	npm ci --prefix example-webapp/e2e
	cd example-webapp && nice go test -tags providers -run '^TestNeighbours$$' -count=1 -timeout 60m -v .

# What has locks, with the race detector and another scheduler each time.
LOCKED = ./session ./internal/access ./internal/expiring ./internal/pace ./internal/seal ./internal/browser ./internal/oauth
race:
	@set -e; for procs in 1 2 8; do \
		echo "GOMAXPROCS=$$procs"; \
		GOMAXPROCS=$$procs nice go test -race -count=1 -timeout 60m $(LOCKED); \
		GOMAXPROCS=$$procs nice go test -race -count=1 -timeout 60m -run 'Race|Parallel|Storm|Concurrent|AtOnce|Once|InFlight|Flood|Lease|Beats|Wait' ./oidcauth; \
	done

# Breaks each check of docs/security.md once, in a copy, and shows that its tests fail. An hour or two.
# MUTATIONS is a regular expression: the checks to break.
mutations:
	nice go run ./internal/mutations -run '$(MUTATIONS)'

# gofmt, vet, staticcheck and golangci-lint, with the versions that .ci/lint pins.
lint:
	bash .ci/lint

# Every fuzz target in turn, for FUZZTIME each; TARGETS is a regular expression: the targets to run.
fuzz:
	FUZZTIME=$(FUZZTIME) TARGETS='$(or $(TARGETS),.)' nice bash internal/fuzz/all.sh
