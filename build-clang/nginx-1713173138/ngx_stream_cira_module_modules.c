
#include <ngx_config.h>
#include <ngx_core.h>

extern ngx_module_t  ngx_stream_cira_module;
extern ngx_module_t  ngx_stream_cira_hooks_module;

ngx_module_t *ngx_modules[] = {
    &ngx_stream_cira_module,
    &ngx_stream_cira_hooks_module,
    NULL
};

char *ngx_module_names[] = {
    "ngx_stream_cira_module",
    "ngx_stream_cira_hooks_module",
    NULL
};

char *ngx_module_order[] = {
    NULL
};

