# Two commands: `make demo` searches and trains a network for Fashion-MNIST, `make test` builds and tests everything.
# What is missing (libtorch, data, Go, GoogleTest, cmocka) is fetched once into a cache outside the checkout; see tools/.

CARGO ?= cargo
CC    ?= cc
CXX   ?= c++

# Expanded when a recipe runs, not when make starts: `make clean` fetches nothing.
torch = LIBTORCH="$$(tools/libtorch.sh)" LIBTORCH_CXX11_ABI="$${LIBTORCH_CXX11_ABI:-1}"
LIB   = $(CURDIR)/target/release
OUT   = $(CURDIR)/target/programs
LINK  = -Iinclude -L$(LIB) -lnse -Wl,-rpath,$(LIB)

.PHONY: build demo test test-core test-supernet test-c test-cpp test-go header lint clean

build:
	@$(torch) $(CARGO) build --release

$(OUT):
	@mkdir -p $@

demo: build | $(OUT)
	@$(CC) -std=c11 -O2 -Wall -Wextra examples/c/demo.c -o $(OUT)/demo $(LINK) -lm
	@mkdir -p demo-out
	@$(OUT)/demo "$$(tools/dataset.sh)" demo-out

test: build test-core test-supernet test-c test-cpp test-go
	@echo "nse: all tests passed"

# The pure part and the whole ABI, in a build without libtorch.
test-core:
	@$(CARGO) test --release --no-default-features --target-dir target/pure

test-supernet:
	@$(torch) $(CARGO) test --release

test-c: build | $(OUT)
	@tests/c/run.sh "$(LIB)" "$(OUT)"

test-cpp: build | $(OUT)
	@tests/cpp/run.sh "$(LIB)" "$(OUT)"

test-go: build | $(OUT)
	@tests/go/run.sh "$(LIB)" "$(OUT)"

# Writes include/nse.h anew from the documentation in src/ffi.
header:
	@NSE_UPDATE_HEADER=1 $(CARGO) test --release --no-default-features --target-dir target/pure --test abi
	@cp include/nse.h bindings/go/nse.h

lint:
	@$(CARGO) fmt --check
	@$(torch) $(CARGO) clippy --release --all-targets -- -D warnings

clean:
	@rm -rf target demo-out
