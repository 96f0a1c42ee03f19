# Each target is one line; .ci/run is the whole of it.
GOLANGCI = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
PKG ?= ./pipeline
FUZZ ?= .
ROUNDS ?= 5

.PHONY: test race fuzz bench lint build generate chaos ci

test: ; go test ./...
race: ; go test -race ./...
fuzz: ; go test -run '^$$' -fuzz '$(FUZZ)' -fuzztime 60s $(PKG)
bench: ; go test -run '^$$' -bench . ./...
lint: ; go run $(GOLANGCI) run ./...
build: ; CGO_ENABLED=0 go build -trimpath -o weir .
generate: ; go generate ./...
chaos: ; bash .ci/chaos.sh $(ROUNDS)
ci: ; bash .ci/run
