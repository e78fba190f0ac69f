
/*
 * Network settings of a device: ports, link preference, wireless state,
 * profiles and their credentials.  Contract mps.md section 2.14, wsman.md
 * AMT_EthernetPortSettings, AMT_WiFiPortConfigurationService, CIM_WiFi*,
 * *_IEEE8021xSettings.
 */


#ifndef _NGX_AMT_NETWORK_H_INCLUDED_
#define _NGX_AMT_NETWORK_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/* ---- reading ---- */

extern const ngx_amt_op_t  ngx_amt_network;
extern const ngx_amt_op_t  ngx_amt_network_wired;
extern const ngx_amt_op_t  ngx_amt_network_state;
extern const ngx_amt_op_t  ngx_amt_network_sync;
extern const ngx_amt_op_t  ngx_amt_network_profiles;


/* ---- changing; what the members of input are ---- */

/*
 * dhcpEnabled, ipSyncEnabled: booleans; ipAddress, subnetMask,
 * defaultGateway, primaryDNS, secondaryDNS: strings; all may be absent
 */
extern const ngx_amt_op_t  ngx_amt_network_wired_set;

/* linkPreference: 1, 2; timeout: seconds */
extern const ngx_amt_op_t  ngx_amt_network_link;

/* state: NGX_AMT_NETWORK_WIFI_* */
extern const ngx_amt_op_t  ngx_amt_network_state_set;

/* localProfileSync, uefiProfileSync: booleans, or absent */
extern const ngx_amt_op_t  ngx_amt_network_sync_set;

/*
 * profileName, ssid, password: strings; priority, authenticationMethod,
 * encryptionMethod: numbers; ieee8021x: object of username, password,
 * authenticationProtocol, and of privateKey (PKCS#1), publicKey (what the
 * device tells of the same key), clientCert, caCert in base64
 */
extern const ngx_amt_op_t  ngx_amt_network_profile_add;
extern const ngx_amt_op_t  ngx_amt_network_profile_update;

/* profileName */
extern const ngx_amt_op_t  ngx_amt_network_profile_delete;


/* ---- names of values ---- */

#define NGX_AMT_NETWORK_WIFI_OFF    3
#define NGX_AMT_NETWORK_WIFI_S0     32768
#define NGX_AMT_NETWORK_WIFI_S0_SX  32769

#define NGX_AMT_NETWORK_WPA_PSK     4
#define NGX_AMT_NETWORK_WPA_X       5
#define NGX_AMT_NETWORK_WPA2_PSK    6
#define NGX_AMT_NETWORK_WPA2_X      7


typedef struct {
    ngx_int_t                  value;
    const char                *text;
} ngx_amt_network_name_t;


/* Tables end with text NULL. */

extern const ngx_amt_network_name_t  ngx_amt_network_authentications[];
extern const ngx_amt_network_name_t  ngx_amt_network_encryptions[];
extern const ngx_amt_network_name_t  ngx_amt_network_states[];

/* The text of a value, or def. */
const char *ngx_amt_network_name(const ngx_amt_network_name_t *table,
    int64_t value, const char *def);
/* The value of a text in any letter case, or -1. */
ngx_int_t ngx_amt_network_value(const ngx_amt_network_name_t *table,
    ngx_str_t *text);


/* ---- answers: items are arrays of ngx_amt_xml_t * ---- */

#define NGX_AMT_NETWORK_WIRED  "Intel(r) AMT Ethernet Port Settings 0"
#define NGX_AMT_NETWORK_WIFI   "Intel(r) AMT Ethernet Port Settings 1"

/* First port whose InstanceID contains id, or NULL. */
ngx_amt_xml_t *ngx_amt_network_port(ngx_array_t *items, const char *id);

/*
 * Whether an endpoint's settings are a profile: those of the user, and the
 * container of these, are none.
 */
ngx_uint_t ngx_amt_network_is_profile(ngx_amt_xml_t *endpoint);

/* The profile of this name, or NULL. */
ngx_amt_xml_t *ngx_amt_network_profile_find(ngx_array_t *endpoints,
    ngx_str_t *name);

/* New references; NULL: no memory. */
json_t *ngx_amt_network_wired_json(ngx_amt_xml_t *port, ngx_amt_xml_t *x);
json_t *ngx_amt_network_wifi_json(ngx_amt_xml_t *port,
    ngx_array_t *endpoints, ngx_array_t *settings, ngx_amt_xml_t *service);
json_t *ngx_amt_network_profiles_json(ngx_array_t *endpoints,
    ngx_array_t *settings, ngx_array_t *links);

/*
 * The selector InstanceID of an endpoint reference in x to an instance of
 * class; 0: it is none.
 */
ngx_uint_t ngx_amt_network_reference(ngx_amt_xml_t *x, const char *class,
    ngx_str_t *id);


/* ---- requests: memory from the pool; as ngx_amt_xml_done() ---- */

#define NGX_AMT_NETWORK_ADDRESSES  5

typedef struct {
    ngx_uint_t                 dhcp;
    ngx_uint_t                 sync;     /* addresses are the host's */
    ngx_str_t                  address[NGX_AMT_NETWORK_ADDRESSES];
                                         /* IPAddress, SubnetMask,
                                            DefaultGateway, PrimaryDNS,
                                            SecondaryDNS; empty: none */
} ngx_amt_network_wired_t;

/* input as of ngx_amt_network_wired_set, its strings are borrowed */
void ngx_amt_network_wired_input(json_t *input,
    ngx_amt_network_wired_t *wired);
ngx_int_t ngx_amt_network_wired_put(ngx_pool_t *pool, ngx_amt_xml_t *port,
    ngx_amt_network_wired_t *wired, ngx_str_t *body);

ngx_int_t ngx_amt_network_link_input(ngx_pool_t *pool, int64_t preference,
    int64_t timeout, ngx_str_t *body);

/* local, uefi: -1 keeps what is */
ngx_int_t ngx_amt_network_sync_put(ngx_pool_t *pool, ngx_amt_xml_t *service,
    ngx_int_t local, ngx_int_t uefi, ngx_str_t *body);

typedef struct {
    ngx_str_t                  name;
    ngx_str_t                  id;       /* InstanceID of the profile */
    ngx_str_t                  ssid;
    ngx_str_t                  passphrase;
    int64_t                    priority;
    int64_t                    authentication;
    int64_t                    encryption;

    ngx_str_t                  x_id;     /* InstanceID of its 802.1x settings;
                                            empty: it has none */
    ngx_str_t                  username;
    ngx_str_t                  password;
    int64_t                    protocol;
    ngx_str_t                  client;   /* handles of certificates */
    ngx_str_t                  ca;
} ngx_amt_network_profile_t;

/*
 * input as of ngx_amt_network_profile_add, its strings are borrowed; ids are
 * from the pool.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_network_profile_input(ngx_pool_t *pool, json_t *input,
    ngx_amt_network_profile_t *profile);
/* The body holds secrets: the caller wipes it. */
ngx_int_t ngx_amt_network_profile_xml(ngx_pool_t *pool,
    ngx_amt_network_profile_t *profile, ngx_uint_t update, ngx_str_t *body);


/* ---- shared by the bodies ---- */

/* A string member, or an empty string. */
void ngx_amt_network_string(json_t *object, const char *name, ngx_str_t *s);
/* What a fault says, or what it is called. */
ngx_str_t *ngx_amt_network_reason(ngx_amt_wsman_response_t *res);
/* Ends a body: the device has no wired port. */
ngx_int_t ngx_amt_network_no_wired(ngx_amt_flow_t *f, ngx_amt_cap_t *c);


/* ---- credentials of a profile ---- */

typedef enum {
    NGX_AMT_CREDENTIAL_KEY = 0,
    NGX_AMT_CREDENTIAL_CLIENT,
    NGX_AMT_CREDENTIAL_CA
} ngx_amt_credential_e;

#define NGX_AMT_CREDENTIALS  3

typedef struct {
    ngx_str_t                  handle[NGX_AMT_CREDENTIALS];
                                         /* empty: not asked for */
    unsigned                   added:NGX_AMT_CREDENTIALS;  /* bits */
} ngx_amt_credentials_t;

/*
 * Operation: finds key and certificates of the object x (ieee8021x of the
 * input) in the device or adds them; *result tells, also after a failure,
 * what was added.  Shield the flow first.
 */
ngx_int_t ngx_amt_credentials_add(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    json_t *x, ngx_amt_credentials_t *result);

/*
 * Operation: deletes from the device what was added, as far as nothing there
 * refers to it.  Failures are logged only; the flow's error is kept.
 */
ngx_int_t ngx_amt_credentials_remove(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, ngx_amt_credentials_t *credentials);

/* Has x anything to add? */
ngx_uint_t ngx_amt_credentials_wanted(json_t *x);

/*
 * Handle of the item whose member name is text (of certificates: whose trust
 * is root, unless that is -1); 0: there is none.
 */
ngx_uint_t ngx_amt_credentials_find(ngx_array_t *items, const char *name,
    ngx_str_t *text, ngx_int_t root, ngx_str_t *handle);


#endif /* _NGX_AMT_NETWORK_H_INCLUDED_ */
