# Two commands: `make demo` searches and trains a network for Fashion-MNIST, `make test` builds and tests everything.
# What is missing (libtorch, data, Go, GoogleTest, cmocka) is fetched once into a cache outside the checkout; see tools/.

CARGO ?= cargo
CC    ?= cc
CXX   ?= c++

# Expanded when a recipe runs, not when make starts: `make clean` fetches nothing.
torch = LIBTORCH="$$(tools/libtorch.sh)" LIBTORCH_CXX11_ABI="$${LIBTORCH_CXX11_ABI:-1}"
LIB   = $(CURDIR)/target/release
PURE  = $(CURDIR)/target/pure/release
OUT   = $(CURDIR)/target/programs
LINK  = -Iinclude -L$(LIB) -lnse -Wl,-rpath,$(LIB)

.PHONY: build demo test test-core test-supernet test-abi test-host test-c test-cpp test-go test-examples test-cli test-dist test-katib test-deploy test-docs test-slow ablation evidence evidence-restore header reference lint clean train-demo service test-service test-install install dist bench bench-scale

build:
	@$(torch) $(CARGO) build --release
	@tools/link.sh "$(LIB)" "$$(tools/libtorch.sh)"
	@$(CARGO) build --release --package nse-cli
	@[ "$(LIB)/THIRD-PARTY" -nt Cargo.lock ] || { tools/licences.sh >"$(LIB)/THIRD-PARTY.new" && mv "$(LIB)/THIRD-PARTY.new" "$(LIB)/THIRD-PARTY"; }

$(OUT):
	@mkdir -p $@

demo: build | $(OUT)
	@$(CC) -std=gnu11 -O2 -Wall -Wextra examples/c/demo.c -o $(OUT)/demo $(LINK)
	@mkdir -p demo-out
	@$(OUT)/demo "$$(tools/dataset.sh)" demo-out

# Trains a found network of less than 5 M multiply-accumulates for use; goes on where it was stopped. See docs/train.md.
train-demo: build | $(OUT)
	@$(CC) -std=gnu11 -O2 -Wall -Wextra examples/c/train.c -o $(OUT)/train $(LINK)
	@mkdir -p train-out
	@$(OUT)/train "$$(tools/dataset.sh)" train-out

# The service of docs/service.md, as target/programs/service.
service: build | $(OUT)
	@NSE_LIB="$(LIB)" OUT="$(OUT)" GO="$$(tools/go.sh 26)" PKG_CONFIG="$$(tools/pkg-config.sh)" tests/go/service.sh build

test: build test-core test-supernet test-abi test-host test-c test-cpp test-go test-examples test-cli test-dist test-katib test-deploy test-docs test-service test-install
	@echo "nse: all tests passed"

# The pure part and the whole ABI, in a build without libtorch.
test-core:
	@$(CARGO) build --release --no-default-features --target-dir target/pure
	@tools/link.sh "$(PURE)"
	@$(CARGO) test --release --no-default-features --target-dir target/pure

test-supernet:
	@$(torch) OMP_NUM_THREADS=1 $(CARGO) test --release --test supernet --test kernels

# test-core holds the library without libtorch against the lists in tests/abi; this does so for the other.
test-abi: build
	@$(torch) $(CARGO) test --release --test abi

test-host: build test-core | $(OUT)
	@NSE_LIB="$(LIB)" OUT="$(OUT)" CC="$(CC)" CXX="$(CXX)" TORCH="$$(tools/libtorch.sh)" tests/host/run.sh
	@NSE_LIB="$(LIB)" PURE_LIB="$(PURE)" OUT="$(OUT)" CC="$(CC)" CXX="$(CXX)" tests/host/rungs.sh

test-c: build test-core | $(OUT)
	@NSE_LIB="$(LIB)" PURE_LIB="$(PURE)" OUT="$(OUT)" CC="$(CC)" CMOCKA="$$(tools/debian.sh libcmocka-dev libcmocka0)" \
		tests/c/run.sh

test-cpp: build | $(OUT)
	@NSE_LIB="$(LIB)" OUT="$(OUT)" CXX="$(CXX)" GTEST="$$(tools/debian.sh libgtest-dev)" \
		TORCH="$$(tools/libtorch.sh)" tests/cpp/run.sh

test-go: build | $(OUT)
	@NSE_LIB="$(LIB)" OUT="$(OUT)" CC="$(CC)" CXX="$(CXX)" GO="$$(tools/go.sh)" \
		PKG_CONFIG="$$(tools/pkg-config.sh)" tests/go/run.sh

# The command line, on a library with and one without libtorch.
test-cli: build test-core
	@$(CARGO) build --release --package nse-cli --target-dir target/pure
	@NSE="$(LIB)/nse" PURE="$(PURE)/nse" OUT="$(OUT)/cli" TENSORBOARD="$$(tools/tensorboard.sh)" tests/cli/run.sh

# Searches in several processes.
test-dist: build | $(OUT)
	@NSE_LIB="$(LIB)" OUT="$(OUT)" CC="$(CC)" MPI="$$(tools/mpi.sh)" DATA="$$(tools/dataset.sh)" GO="$$(tools/go.sh)" \
		PKG_CONFIG="$$(tools/pkg-config.sh)" tests/dist/run.sh

# The suggestion service for Kubeflow's Katib, asked as Katib asks.
test-katib: build | $(OUT)
	@NSE_LIB="$(LIB)" OUT="$(OUT)" GO="$$(tools/go.sh)" PKG_CONFIG="$$(tools/pkg-config.sh)" tests/go/katib.sh

# What examples/deploy says for Kubeflow, SLURM and containers, run here without any of them.
test-deploy: build | $(OUT)
	@NSE_LIB="$(LIB)" OUT="$(OUT)" CC="$(CC)" GO="$$(tools/go.sh)" YAML="$$(tools/debian.sh python3-yaml)" tests/deploy/run.sh

# The service of docs/service.md, in its page too.
test-service: build | $(OUT)
	@NSE_LIB="$(LIB)" OUT="$(OUT)" GO="$$(tools/go.sh 26)" CHROMIUM="$$(tools/chromium.sh)" \
		PKG_CONFIG="$$(tools/pkg-config.sh)" tests/go/service.sh

# The same programs in C, C++ and Go, on real images: each must run, and those of one algorithm must say the same.
test-examples: build | $(OUT)
	@NSE_LIB="$(LIB)" OUT="$(OUT)" CC="$(CC)" CXX="$(CXX)" GO="$$(tools/go.sh)" DATA="$$(tools/dataset.sh)" \
		TORCH="$$(tools/libtorch.sh)" PKG_CONFIG="$$(tools/pkg-config.sh)" tests/examples.sh
	@NSE_LIB="$(LIB)" OUT="$(OUT)" GO="$$(tools/go.sh)" DATA="$$(tools/dataset.sh)" PKG_CONFIG="$$(tools/pkg-config.sh)" tests/jobs.sh

# Every code block of README.md and docs/ is compiled and run.
test-docs: build | $(OUT)
	@NSE_LIB="$(LIB)" OUT="$(OUT)" CC="$(CC)" CXX="$(CXX)" GO="$$(tools/go.sh)" \
		PKG_CONFIG="$$(tools/pkg-config.sh)" tests/docs/run.sh

# What a user does with an installed tree and a tarball, away from this checkout.
test-install: build | $(OUT)
	@NSE_LIB="$(LIB)" OUT="$(OUT)" CC="$(CC)" CXX="$(CXX)" GO="$$(tools/go.sh)" \
		CMAKE="$$(tools/cmake.sh)" PKG_CONFIG="$$(tools/pkg-config.sh)" tests/install/run.sh

# What takes minutes to an hour: see CONTRIBUTING.md. RUNGS="valgrind fuzz" runs only these.
test-slow: build test-core test-c | $(OUT)
	@$(torch) NSE_LIB="$(LIB)" PURE_LIB="$(PURE)" OUT="$(OUT)" CC="$(CC)" CXX="$(CXX)" \
		CMOCKA="$$(tools/debian.sh libcmocka-dev libcmocka0)" tests/slow.sh $(RUNGS)

# What `make build` has left, which is not built anew: so root needs no toolchain. See docs/install.md.
PREFIX ?= /usr/local
install: $(LIB)/libnse.so
	@PREFIX="$(PREFIX)" LIBDIR="$(LIBDIR)" DESTDIR="$(DESTDIR)" WITH_TORCH="$(WITH_TORCH)" tools/install.sh "$(LIB)"

$(LIB)/libnse.so:
	@$(MAKE) build

# A tarball in target/dist, to unpack anywhere.
dist: build
	@WITH_TORCH="$(WITH_TORCH)" tools/dist.sh "$(LIB)" target/dist

# Writes include/nse.h anew from the documentation in src/ffi, and what is made of it.
header:
	@NSE_UPDATE_HEADER=1 $(CARGO) test --release --no-default-features --target-dir target/pure --test abi header_is_fresh
	@cp include/nse.h bindings/go/nse.h
	@go="$$(tools/go.sh)" && cd bindings/go && PATH="$$(dirname "$$go"):$$PATH" "$$go" generate

# The reference of C, C++, Go and Rust, in target/reference.
reference:
	@$(torch) GO="$$(tools/go.sh)" tools/reference.sh target/reference

# What each part of NSE is worth: four methods, three seeds each, an hour or so. Goes on where it was stopped.
ablation:
	@$(torch) OMP_NUM_THREADS=1 $(CARGO) bench --quiet --bench ablation -- "$$(tools/dataset.sh)" target/ablation

# The studies of docs/abs.md, docs/neas.md and docs/pnas.md: up to an hour of one core each, PARTS="neas pnas" does some. Goes on where it was stopped.
evidence:
	@$(torch) OMP_NUM_THREADS=1 $(CARGO) bench --quiet --bench evidence -- "$$(tools/dataset.sh)" target/evidence $(PARTS)

# What a search for restoring networks is worth on standard test images, against Deep Image Prior: a quarter of an hour of one core. Goes on where it was stopped.
evidence-restore:
	@$(torch) OMP_NUM_THREADS=1 $(CARGO) bench --quiet --bench restore -- "$$(tools/pictures.sh)" target/evidence-restore

# The library against the same supernet and round in plain PyTorch, in turns, after equal results: some minutes. PARTS="S M" does some of it,
# STEPS=25 takes more turns. docs/speed.md says what it shows.
bench: build | $(OUT)
	@$(torch) $(CARGO) bench --quiet --bench speed -- "$$(tools/pytorch.sh)" "$$(tools/dataset.sh)" target/bench "$(or $(PARTS),S M L P round engine binary)" $(or $(STEPS),7)
	@$(CC) -std=gnu11 -O2 -Wall -Wextra benches/host.c -o $(OUT)/bench-host $(LINK)
	@echo "what a host waits while a search trains" && $(OUT)/bench-host

# What more ranks cost and bring, on two cores with nothing else to do: ten minutes. docs/scale.md says what it shows.
bench-scale: build | $(OUT)
	@$(torch) $(CARGO) bench --quiet --no-run --bench network
	@$(CC) -std=gnu11 -O2 -Wall -Wextra benches/scale/steps.c -o $(OUT)/bench-steps $(LINK)
	@python3 benches/scale/scale.py "$$(ls -t $(LIB)/deps/network-* | grep -v '\.d$$' | head -n 1)" $(OUT)/bench-steps target/bench
	@python3 benches/scale/model.py

lint:
	@$(CARGO) fmt --all --check
	@$(torch) $(CARGO) clippy --release --workspace --all-targets -- -D warnings

clean:
	@rm -rf target demo-out train-out
