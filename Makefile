# Needs: Go 1.26 or newer, and make. On Debian, "make test" installs what else it needs, or says exactly what to install.
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

.PHONY: run build test soak lint bench gen shots example-microservices

run: build
	bin/gatehouse serve --dev --listen 127.0.0.1:8080 --data .data

build:
	CGO_ENABLED=0 $(GO) build -buildvcs=false -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/gatehouse ./cmd/gatehouse

test:
	@.ci/test

# Two services and an API that trust each other, on a development server of their own.
example-microservices: build
	$(GO) run ./examples/microservices -gatehouse bin/gatehouse

# The long forms: more rounds, more kills.
soak:
	@GATEHOUSE_TEST_SOAK=1 .ci/test -timeout 4h

lint:
	.ci/modules $(GO) vet ./...
	.ci/modules $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run

bench:
	@.ci/bench

# Generated files are committed; tests check that they are in step.
gen:
	$(GO) tool -modfile=tools.mod templ generate
	$(GO) run ./cmd/gatehouse manual > docs/manual.md.new && mv docs/manual.md.new docs/manual.md

# Pictures of every page in both themes and sizes, to be looked at.
shots:
	mkdir -p shots
	GATEHOUSE_TEST_SHOTS=$(CURDIR)/shots $(GO) test -count=1 -run 'Look|Themes|Mails|FirstLogin|SingleSignOn|FormPost' ./internal/web/pages ./internal/web/hosted ./internal/endtoend
