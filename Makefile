# Two commands: make demo, make test.  See README.md.

BUILD       ?= build
NGINX_SRC   ?= /usr/share/nginx/src
CC          ?= cc
JOBS        ?= 2

NGINX_NAME   = $(shell echo $(abspath $(NGINX_SRC)) | cksum | cut -d' ' -f1)
OBJS         = $(abspath $(BUILD))/nginx-$(NGINX_NAME)
WARN         = -Wall -Wextra -Wno-unused-parameter \
	-Wno-missing-field-initializers -Werror
HARDEN       = -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2

.PHONY: all clean

all: modules

$(OBJS)/Makefile: config $(shell find ngx_*_module -type d)
	mkdir -p $(OBJS)/src
	cd $(OBJS)/src && ln -sfn $(abspath $(NGINX_SRC))/auto auto \
	    && ln -sfn $(abspath $(NGINX_SRC))/src src
	cd $(OBJS)/src && { . /usr/share/nginx/src/conf_flags 2>/dev/null \
	    || NGX_CONF_FLAGS=(--with-compat); } \
	    && $(NGINX_SRC)/configure "$${NGX_CONF_FLAGS[@]}" \
	    --with-cc="$(CC)" \
	    --builddir=$(OBJS) --with-stream --with-stream_ssl_module \
	    --add-dynamic-module=$(CURDIR) \
	    --with-cc-opt="$(HARDEN) $(WARN)" >$(OBJS)/configure.log

SHELL = /bin/bash

.PHONY: modules
modules: $(OBJS)/Makefile
	cd $(OBJS)/src && $(MAKE) --no-print-directory -j$(JOBS) \
	    -f $(OBJS)/Makefile modules
	mkdir -p $(BUILD)/modules
	cp $(OBJS)/ngx_stream_cira_module.so $(OBJS)/ngx_http_amt_module.so \
	    $(BUILD)/modules/

clean:
	rm -rf $(BUILD)
