# Thin: every target is one command that can be typed by hand. Only Go is needed; see CONTRIBUTING.md.
.PHONY: dev demo test quick bench bench-oidc bench-issuing bench-bulk lint fuzz kill sabotage
FUZZTIME ?= 30s

dev: ## the whole federation on this machine
	go run ./cmd/hufu dev

demo: ## the main job in the terminal
	go run ./cmd/hufu demo

test: ## everything, as CI does
	go run ./internal/check

quick: ## without the foreign clients and the browser
	go run ./internal/check -quick

bench: ## the figures of the README
	go run ./conformance/bench

bench-oidc: ## CPU per operation of the OpenID Provider, beside a floor; needs PostgreSQL
	go run ./conformance/bench -only oidc

bench-issuing: ## CPU per credential, beside the bare cost of proof and signature; needs PostgreSQL
	go run ./conformance/bench -only issuing

bench-bulk: ## a million licences by one job, three kills, with the peak memory; needs PostgreSQL and 6 GB of disk
	go run ./conformance/bench -only bulk

lint: ## the named set of staticcheck.conf
	go vet ./...
	go tool -modfile=internal/check/tools/go.mod staticcheck ./...

fuzz: ## FUZZTIME for each fuzz target, one after the other
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
	  for name in $$(grep -h --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | cut -c6-); do \
	    echo "== $$dir $$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x "$$dir" || exit 1; \
	  done; \
	done

kill: ## kill -9 while licences are issued, 100 times on each engine; needs PostgreSQL
	HUFU_KILL_ROUNDS=100 go test -tags=conformance -run TestKill ./conformance/... -count=1 -timeout=60m -v

sabotage: ## takes out one check of the OpenID Provider at a time; each must be noticed by a test
	go run ./internal/sabotage
