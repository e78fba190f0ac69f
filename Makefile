# Two commands: make demo, make test.  README.md says more.

SHELL       = /bin/bash

CC         ?= cc
CLANG      ?= clang
JOBS       ?= $(shell nproc)
# a parent's job server counts, where there is one
PARALLEL    = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
DESTDIR    ?=
FUZZ_TIME  ?= 30

# Debian's nginx-dev by default; any source tree of nginx 1.22 or newer, which
# is built in a directory of its own and used by its tests
DEBIAN_SRC  = /usr/share/nginx/src
NGINX_SRC  ?= $(DEBIAN_SRC)
OTHER       = $(filter-out $(DEBIAN_SRC),$(abspath $(NGINX_SRC)))
BUILD      ?= build$(addprefix -,$(notdir $(OTHER)))

B           = $(abspath $(BUILD))
OBJS        = $(B)/nginx-$(shell echo $(abspath $(NGINX_SRC)) $(CC) | cksum \
	| cut -d' ' -f1)
WARN        = -Wall -Wextra -Wno-unused-parameter \
	-Wno-missing-field-initializers -Werror
HARDEN      = -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
SANITIZE    = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize=alignment -DNGX_DEBUG_PALLOC=1 -DNGX_AMT_TEST=1
WATCHED     = -O1 -g -fno-omit-frame-pointer -DNGX_DEBUG_PALLOC=1
LIBS        = -lcurl -ljansson -lexpat -lsqlite3 -lcjose -lcrypt -lmosquitto

BROWSER     = t/browser/node_modules/.package-lock.json

MODULE_DIRS = $(shell find ngx_stream_cira_module ngx_http_amt_module -type d)
MODULE_SRCS = $(shell find ngx_stream_cira_module ngx_http_amt_module \
	-name '*.[ch]')


.PHONY: all modules deps deps-test deps-fuzz deps-lint sim unit asan-nginx \
	plain-nginx test test-asan test-valgrind \
	fuzz bench lint demo run console install clean

all: modules


# ---- what has to be installed ------------------------------------------------

DEPS_RUN   = nginx-core libnginx-mod-stream openssl curl
DEPS_BUILD = gcc make libc6-dev nginx-dev libssl-dev libpcre2-dev zlib1g-dev \
	libcurl4-openssl-dev libjansson-dev libexpat1-dev libsqlite3-dev \
	libcjose-dev libcrypt-dev libmosquitto-dev
DEPS_TEST  = clang valgrind binutils dpkg-dev patch \
	xz-utils sqlite3 perl libio-socket-ssl-perl libnet-ssleay-perl \
	libyaml-libyaml-perl libjson-validator-perl \
	iproute2 util-linux procps mosquitto mosquitto-clients node-ws \
	chromium
DEPS_LINT  = clang-tidy cppcheck
DEPS_BENCH = wrk

# $(call install,PACKAGES): installs what is missing, silent when nothing is
install = missing=`for p in $(1); do dpkg-query -W -f '$${db:Status-Status}' \
	    $$p 2>/dev/null | grep -qx installed || echo $$p; done`; \
	[ -z "$$missing" ] || { echo "installing:" $$missing; \
	    sudo=; [ `id -u` = 0 ] || sudo=sudo; \
	    [ -z "$$sudo" ] || command -v sudo >/dev/null \
	        || { echo "no sudo here: install them as root" >&2; exit 1; }; \
	    $$sudo apt-get -q update >/dev/null \
	    && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
	        --no-install-recommends install $$missing >/dev/null; }

deps:
	@$(call install,$(DEPS_RUN) $(DEPS_BUILD))

deps-test: deps $(BROWSER)
	@$(call install,$(DEPS_TEST))

# the browser's side: the public toolkit, and what drives Chromium; where there
# is no npm registry t/browser.t is skipped and says so, after seconds
NPM_WAIT = --fetch-timeout=10000 --fetch-retries=1 \
	--fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=1000

$(BROWSER): t/browser/package-lock.json
	@command -v npm >/dev/null || { $(call install,nodejs npm); }
	cd t/browser && npm ci --no-audit --no-fund --silent $(NPM_WAIT) \
	    || echo "npm: packages of t/browser are missing"

# clang's sanitizers are a package of their own, named by its version
deps-fuzz: deps-test
	@$(call install,libclang-rt-$$(clang -dumpversion | cut -d. -f1)-dev)

deps-lint: deps-test
	@$(call install,$(DEPS_LINT))


# ---- the two modules --------------------------------------------------------

$(OBJS)/Makefile: config $(MODULE_DIRS) | deps
	mkdir -p $(OBJS)/src
	cd $(OBJS)/src && ln -sfn $(abspath $(NGINX_SRC))/auto auto \
	    && ln -sfn $(abspath $(NGINX_SRC))/src src
	cd $(OBJS)/src && NGX_CONF_FLAGS=(--with-compat --with-threads) \
	    && { [ ! -f $(NGINX_SRC)/conf_flags ] || . $(NGINX_SRC)/conf_flags; } \
	    && if [ -x $(abspath $(NGINX_SRC))/auto/configure ]; \
	       then c=auto/configure; \
	       else c=$(abspath $(NGINX_SRC))/configure; fi \
	    && $$c "$${NGX_CONF_FLAGS[@]}" --with-cc="$(CC)" \
	    --builddir=$(OBJS) --with-stream --with-stream_ssl_module \
	    --with-http_ssl_module --add-dynamic-module=$(CURDIR) \
	    --with-cc-opt="$(HARDEN) $(WARN)" >$(OBJS)/configure.log \
	    || { cat $(OBJS)/configure.log; rm -f $@; exit 1; }

modules: deps $(OBJS)/Makefile
	cd $(OBJS)/src && $(MAKE) --no-print-directory -s $(PARALLEL) \
	    -f $(OBJS)/Makefile modules
	@# not cp: writing into a file that a running nginx has mapped kills it;
	@# and what is the same stays, one that starts may just read it
	mkdir -p $(B)/modules
	install -C -m 644 $(OBJS)/ngx_stream_cira_module.so \
	    $(OBJS)/ngx_http_amt_module.so $(B)/modules/


# ---- nginx itself: asan (tests), fuzz (libFuzzer), plain (another tree), ------
# ---- valgrind (the test module in it, each piece of a pool from malloc) -------

$(B)/nginx-src/configure: | deps-test
	t/build/nginx-source $(B)/nginx-src $(OTHER)

define variant
$(B)/$(1)/Makefile: config $(B)/nginx-src/configure $(MODULE_DIRS)
	mkdir -p $(B)/$(1)
	cd $(B)/nginx-src && ./configure --builddir=$(B)/$(1) --with-cc="$(2)" \
	    --prefix=$(B)/$(1)/prefix --with-debug --with-threads \
	    --with-compat --with-http_ssl_module --with-http_v2_module \
	    --with-http_stub_status_module --with-http_realip_module \
	    --with-stream --with-stream_ssl_module \
	    --with-stream_realip_module --add-dynamic-module=$(CURDIR) \
	    --with-cc-opt="$(3) $(WARN) -Wno-error" \
	    --with-ld-opt="$(3)" >$(B)/$(1)/configure.log \
	    || { cat $(B)/$(1)/configure.log; rm -f $$@; exit 1; }

$(B)/$(1)/libngx.a: $(B)/$(1)/Makefile $(MODULE_SRCS)
	cd $(B)/nginx-src && $$(MAKE) --no-print-directory -s $$(PARALLEL) \
	    -f $(B)/$(1)/Makefile binary modules
	rm -f $$@
	objcopy --redefine-sym main=ngx_main $(B)/$(1)/src/core/nginx.o \
	    $(B)/$(1)/nginx_main.o
	ar rcs $$@ $(B)/$(1)/nginx_main.o $(B)/$(1)/ngx_modules.o \
	    `find $(B)/$(1)/src $(B)/$(1)/addon -name '*.o' \
	    ! -name nginx.o`
endef

$(eval $(call variant,asan,$(CC),$(SANITIZE)))
$(eval $(call variant,fuzz,$(CLANG),$(SANITIZE) -fsanitize=fuzzer-no-link))
$(eval $(call variant,plain,$(CC),$(HARDEN)))
$(eval $(call variant,valgrind,$(CC),$(WATCHED)))

asan-nginx: $(B)/asan/libngx.a
plain-nginx: $(B)/plain/libngx.a

INCS = -I$(CURDIR)/ngx_http_amt_module -I$(CURDIR)/ngx_stream_cira_module \
	$(addprefix -I$(B)/nginx-src/src/,core event event/modules os/unix \
	http http/modules http/v2 stream) -I$(CURDIR)/t/unit
NGX_LIBS = $(LIBS) -lssl -lcrypto -lpcre2-8 -lz -ldl -lpthread


# ---- unit tests and fuzz targets ---------------------------------------------

UNIT = $(patsubst t/unit/%.c,$(B)/unit/%,$(wildcard t/unit/*.c))
FUZZ = $(patsubst t/fuzz/%.c,$(B)/fuzzers/%,$(wildcard t/fuzz/*.c))

$(B)/unit/%: t/unit/%.c t/unit/tap.h $(B)/asan/libngx.a
	mkdir -p $(@D)
	$(CC) $(SANITIZE) $(WARN) $(INCS) -I$(B)/asan -o $@ $< \
	    $(B)/asan/libngx.a $(NGX_LIBS)

# sanitizers and valgrind do not go together
$(B)/valgrind/amt_nginx: t/unit/amt_nginx.c $(wildcard t/unit/*.h) \
		$(B)/valgrind/libngx.a
	$(CC) $(WATCHED) $(WARN) $(INCS) -I$(B)/valgrind -o $@ $< \
	    $(B)/valgrind/libngx.a $(NGX_LIBS)

$(B)/fuzzers/%: t/fuzz/%.c $(B)/fuzz/libngx.a | deps-fuzz
	mkdir -p $(@D)
	$(CLANG) $(SANITIZE) $(WARN) -fsanitize=fuzzer $(INCS) -I$(B)/fuzz \
	    -o $@ $< $(B)/fuzz/libngx.a $(NGX_LIBS)

unit: $(UNIT)

# Each target for FUZZ_TIME seconds, starting from its corpus; findings and
# new inputs stay below $(BUILD)/corpus.
fuzz: deps-fuzz $(FUZZ)
	set -e; for f in $(FUZZ); do n=`basename $$f`; \
	    mkdir -p $(B)/corpus/$$n t/fuzz/corpus/$$n; echo "fuzz: $$n"; \
	    $$f -max_total_time=$(FUZZ_TIME) -timeout=10 -rss_limit_mb=2048 \
	        -print_final_stats=1 -verbosity=0 \
	        -artifact_prefix=$(B)/corpus/$$n- \
	        $(B)/corpus/$$n t/fuzz/corpus/$$n; done


# ---- tests -------------------------------------------------------------------

SIM_MAKEFILE = $(wildcard t/sim/Makefile)

sim:
	$(if $(SIM_MAKEFILE),$(MAKE) --no-print-directory -s -C t/sim OUT=$(B))

PROVE   = $(addprefix AMT_NGINX=,$(PLAIN)) prove -It/lib --timer
TESTS  ?= t/*.t

# the server of another tree, in which its modules are tested
PLAIN   = $(if $(OTHER),$(B)/plain/nginx)

test: deps-test all sim unit $(if $(OTHER),plain-nginx)
	AMT_BUILD=$(B) $(PROVE) $(TESTS)

test-asan: deps-test asan-nginx sim unit
	AMT_BUILD=$(B) AMT_VARIANT=asan $(PROVE) $(TESTS)

# the unit programs print tables that some tests read
test-valgrind: deps-test all sim unit $(B)/valgrind/amt_nginx \
		$(if $(OTHER),plain-nginx)
	AMT_BUILD=$(B) AMT_VARIANT=valgrind $(PROVE) -j$(JOBS) $(TESTS)


# Everything against plain nginx in the same run, one table at the end
bench: deps-test all sim
	@$(call install,$(DEPS_BENCH))
	AMT_BUILD=$(B) t/bench/run


# ---- trying it, installing it ------------------------------------------------

# Gateway with the embedded stores on 127.0.0.1; state below AMT_RUN (run/)
run: all
	AMT_BUILD=$(B) conf/quickstart run

# The same, with an emulated PC and a power action through the REST API
demo: all sim
	AMT_BUILD=$(B) conf/quickstart demo

# A page with KVM, SOL and IDER of the emulated PC
console: all sim $(BROWSER)
	AMT_BUILD=$(B) conf/quickstart console

MODULES_DIR   = /usr/lib/nginx/modules
AVAILABLE_DIR = /usr/share/nginx/modules-available
CONF_DIR      = /etc/nginx/amt

install: modules
	install -d $(DESTDIR)$(MODULES_DIR) $(DESTDIR)$(AVAILABLE_DIR) \
	    $(DESTDIR)$(CONF_DIR) $(DESTDIR)/usr/sbin
	install -m 644 $(B)/modules/*.so $(DESTDIR)$(MODULES_DIR)
	install -m 644 conf/modules-available/*.conf $(DESTDIR)$(AVAILABLE_DIR)
	install -m 644 conf/amt/* $(DESTDIR)$(CONF_DIR)
	install -m 755 conf/amt-setup $(DESTDIR)/usr/sbin/amt-setup


# ---- reading the code --------------------------------------------------------

LINT_SRCS = $(shell find ngx_stream_cira_module ngx_http_amt_module \
	t/sim t/unit t/fuzz t/bench -name '*.[ch]')

lint: deps-lint asan-nginx
	@t/build/style $(LINT_SRCS)
	@t/build/lint $(B) $(INCS) -I$(B)/asan


clean:
	rm -rf $(B)
