# SPDX-License-Identifier: Apache-2.0
# A short front to CMake and Ninja; CONTRIBUTING.md says more.
PREFIX ?= /usr/local
BUILD ?= build
# Progress on a terminal, silence in a log.
NINJA := ninja -C $(BUILD) $(if $(MAKE_TERMOUT),,--quiet)
CMAKE := cmake -S . -B $(BUILD) -G Ninja --log-level=WARNING

.PHONY: all demo test check-theory studies asan tsan coverage fuzz lint format bench bench-build bench-kernels bench-self bench-scaling install clean

all: $(BUILD)/build.ninja
	@$(NINJA) all

# Tests are configured by `make test` only: they need packages that a user does not.
$(BUILD)/build.ninja:
	@tools/setup build
	@$(CMAKE) -DFANIN_TESTS=OFF -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null

demo: all
	@$(BUILD)/fanin train

# A warning of some other compiler does not stop anybody but continuous integration.
test:
	@tools/setup test
	@$(CMAKE) -DFANIN_TESTS=ON $(if $(CI),-DFANIN_WERROR=ON) >/dev/null
	@$(NINJA) all
	@ctest --test-dir $(BUILD) -j $$(nproc) --output-on-failure

# Predictions against measurements in full: docs/theory-check.md. About twenty minutes.
check-theory:
	@tools/setup test
	@$(CMAKE) -DFANIN_TESTS=ON >/dev/null
	@$(NINJA) check_predict
	@FANIN_SOURCE_DIR=. FANIN_THEORY_TABLE=docs/theory-check.md $(BUILD)/tests/check_predict

# Every study in full, about an hour on two cores: docs/studies. MNIST is looked for in the folder MNIST.
MNIST ?= mnist
studies: all
	@mkdir -p $(BUILD)/studies docs/studies
	@for study in studies/*.yaml; do \
	    $(BUILD)/fanin study $$study --set data.dir=$(MNIST) --dir $(BUILD)/studies --markdown docs/studies || [ $$? = 12 ] || exit 1; \
	done

asan tsan coverage:
	@tools/setup $(if $(filter coverage,$@),coverage,test)
	@tools/variant $@ $(BUILD)/$@

# Each target for FUZZ_SECONDS (20), or only FUZZ=npy.
fuzz:
	@tools/setup test
	@tools/variant fuzz $(BUILD)/fuzz

lint:
	@tools/setup test
	@tools/lint

format:
	@tools/format

# fanin against other libraries, about 25 minutes: bench/README.md. PEERS: an environment that is there; KANN_DIR: KANN's
# source; MNIST: its folder; ARGS: more for bench/compare.
bench: bench-build
	@bench/compare --build $(BUILD) $(if $(PEERS),--peers $(PEERS)) \
	    $(if $(wildcard $(MNIST)/train-images-idx3-ubyte.gz),--mnist $(MNIST)) $(ARGS)
	@bench/scaling --render # its table of the workloads shows the results

bench-kernels: bench-build
	@$(BUILD)/bench/bench_gemm
	@$(BUILD)/bench/bench_step
	@$(BUILD)/bench/bench_records
	@$(BUILD)/bench/bench_init

bench-build:
	@tools/setup bench
	@$(CMAKE) $(if $(KANN_DIR),-DKANN_DIR=$(abspath $(KANN_DIR))) >/dev/null
	@$(NINJA) fanin_cli bench/all

# How a step grows with width, depth, batch and threads, about three minutes: docs/performance.md.
bench-scaling: $(BUILD)/build.ninja
	@$(NINJA) fanin_cli
	@bench/scaling --fanin $(BUILD)/fanin

# Two commits in one run, pair by pair: A (the one that B grew from) and B (the files as they are). Fails where B is slower
# by more than TOLERANCE per cent (5).
bench-self:
	@tools/setup bench
	@bench/self $(or $(A),$(if $(B),$(B)~)) $(B) $(if $(TOLERANCE),--tolerance $(TOLERANCE)) $(if $(ONLY),--only '$(ONLY)')

install: all
	@$(CMAKE) -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null
	@$(NINJA) all
	@cmake --install $(BUILD)
	@if [ "$$(id -u)" = 0 ] && [ -z "$(DESTDIR)" ]; then ldconfig; fi

clean:
	rm -rf $(BUILD)
