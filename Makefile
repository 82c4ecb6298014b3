GO       ?= go
SQLC     := $(GO) run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1
LINT     := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
MAJORS   := 16 17 18
# more for go test, such as -race
TESTFLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help run build isolation suite test test-go test-majors lint fmt generate bench soak timing mutate mutate-sample

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: build ## run the whole product on http://localhost:8080
	@exec bin/rowhouse dev

COMMIT := $(shell git describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null)

# what the isolation report says of the build: results of the suite, if it ran here
EMBEDDED = $(foreach kind,suite mutants,$(if $(wildcard build/isolation-$(kind).json),-X rowhouse/internal/isolationreport.$(kind)=$(shell base64 -w0 build/isolation-$(kind).json)))

build: ## build bin/rowhouse, with the results of the isolation suite if it ran here
	@$(GO) build -ldflags "$(EMBEDDED)" -o bin/rowhouse ./cmd/rowhouse

# one attack after another: nothing for a race detector, and it takes long enough;
# four minutes, and many times that on a busy machine
suite:
	@$(GO) test -count=1 -timeout 30m -json ./tests/isolation | $(GO) run ./tests/isolation/result -commit "$(COMMIT)" -o build/isolation-suite.json

isolation: ## show that landlords are kept apart; reports in build/
	@tests/isolation/report.sh

test: test-go test-majors ## run all tests

test-go: tests/supabase-js/node_modules tests/supabase-cli/node_modules
	$(GO) vet ./...
	@$(GO) test -count=1 -v -run '^TestWhichServer$$' ./internal/dbtest | grep 'the tests run on'
	$(GO) test $(TESTFLAGS) $$($(GO) list ./... | grep -v /tests/isolation$$)
	$(MAKE) suite

# The database tests once more on the other major versions of Postgres, from npm,
# where their programs run on this machine. The whole matrix of attacks runs on the
# newest; on those between, the catalog and what each person sees.
QUICK := '^Test(Tables|OwnerColumn|Triggers|Keys|Policies|Grants|Functions|Roles|Server|Identity|OddSettings|Nothing|Plans|Estimates|Statistics|People|Support|Invites|Claim|Row|Foreign|Unique)'
test-majors: tests/postgres/node_modules
	@for major in $(MAJORS); do \
		bin=$(CURDIR)/tests/postgres/node_modules/pg$$major/native; \
		if [ ! -d $$bin ]; then \
			echo "PostgreSQL $$major: npm has no programs for this machine"; \
			[ "$$ROWHOUSE_TEST_MAJORS" != required ] || exit 1; \
			continue; \
		fi; \
		echo "PostgreSQL $$major"; \
		ROWHOUSE_TEST_POSTGRES_BIN=$$bin $(GO) test -count=1 \
			./internal/db ./internal/migrate ./internal/policy ./internal/guard || exit 1; \
		tests=$(QUICK); [ $$major != $(lastword $(MAJORS)) ] || tests=.; \
		ROWHOUSE_TEST_POSTGRES_BIN=$$bin $(GO) test -count=1 -timeout 30m -run "$$tests" ./tests/isolation || exit 1; \
	done

# build/mutation.md says which test has noticed which fault. For a sample that was
# seen before: make mutate-sample SEED=20657; for some mutants: make mutate ONLY=app.units
MUTATE := $(GO) test -count=1 -timeout 0 -v -run '^TestMutants$$' ./tests/mutate -args -commit '$(COMMIT)'

mutate: ## weaken the database in each of some 3000 places, and see that the isolation suite notices (hours)
	$(MUTATE) -all $(if $(ONLY),-only '$(ONLY)')

mutate-sample: ## the same in 160 places, others every day
	$(MUTATE) -sample 160 $(if $(SEED),-seed $(SEED)) $(if $(ONLY),-only '$(ONLY)')

tests/%/node_modules: tests/%/package-lock.json
	npm ci --no-audit --no-fund --prefix tests/$*
	@touch $@

lint: ## vet, format and lint
	$(LINT) run ./...
	$(LINT) fmt --diff

fmt: ## format the code
	$(LINT) fmt

generate: ## regenerate what is made from other files
	cd sql && $(SQLC) generate
	$(GO) test ./tests/api -update
	$(GO) test ./internal/policy -run OfThisBuild -update

bench: ## measure; the output is benchstat's format
	$(GO) test -run '^$$' -bench . -benchtime 3s -count 3 ./tests/bench ./internal/auth

# what the tests do in short; one after the other, for each wants the whole machine
soak: ## kill the worker 20 times during 3,000 mails, and 20 times during imports of 10,000 rows; stop Postgres during both
	ROWHOUSE_SOAK=1 $(GO) test -count=1 -p 1 -timeout 30m -v -run '^TestChaos$$' ./internal/invitemail ./internal/app

timing: ## does the time of an answer tell that another landlord's id exists?
	$(GO) test -run '^$$' -bench Timing -benchtime 500x ./tests/isolation
