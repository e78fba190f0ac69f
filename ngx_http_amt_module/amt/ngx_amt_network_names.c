
/* Names of network settings' values; contract mps.md section 2.14. */


#include "amt/ngx_amt_network.h"


const ngx_amt_network_name_t  ngx_amt_network_authentications[] = {
    { 1, "Other" },
    { 2, "OpenSystem" },
    { 3, "SharedKey" },
    { NGX_AMT_NETWORK_WPA_PSK, "WPAPSK" },
    { NGX_AMT_NETWORK_WPA_X, "WPAIEEE8021x" },
    { NGX_AMT_NETWORK_WPA2_PSK, "WPA2PSK" },
    { NGX_AMT_NETWORK_WPA2_X, "WPA2IEEE8021x" },
    { 32768, "WPA3SAE" },
    { 32769, "WPA3OWE" },
    { 0, NULL }
};


const ngx_amt_network_name_t  ngx_amt_network_encryptions[] = {
    { 1, "Other" },
    { 2, "WEP" },
    { 3, "TKIP" },
    { 4, "CCMP" },
    { 5, "None" },
    { 0, NULL }
};


const ngx_amt_network_name_t  ngx_amt_network_states[] = {
    { NGX_AMT_NETWORK_WIFI_OFF, "WifiDisabled" },
    { NGX_AMT_NETWORK_WIFI_S0, "WifiEnabledS0" },
    { NGX_AMT_NETWORK_WIFI_S0_SX, "WifiEnabledS0SxAC" },
    { 0, NULL }
};


const char *
ngx_amt_network_name(const ngx_amt_network_name_t *table, int64_t value,
    const char *def)
{
    for ( /* void */ ; table->text; table++) {
        if (table->value == value) {
            return table->text;
        }
    }

    return def;
}


ngx_int_t
ngx_amt_network_value(const ngx_amt_network_name_t *table, ngx_str_t *text)
{
    for ( /* void */ ; table->text; table++) {
        if (text->len == ngx_strlen(table->text)
            && ngx_strncasecmp(text->data, (u_char *) table->text, text->len)
               == 0)
        {
            return table->value;
        }
    }

    return -1;
}
