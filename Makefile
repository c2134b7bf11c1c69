# Each target calls the driver, which also runs without make: python3 -m book TARGET
PYTHON ?= python3
ARGS ?=
TARGETS := book test check format serve lab bench pdf lock clean help

.DEFAULT_GOAL := help
.PHONY: $(TARGETS)

$(TARGETS):
	@"$(PYTHON)" -m book $@ $(ARGS)
