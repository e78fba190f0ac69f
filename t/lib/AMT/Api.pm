package AMT::Api;

# What the tests of the REST API share: a configuration with device plane,
# store, a fake Vault and keys of several scopes and tenants.
#
#   my ($t, $vault) = AMT::Api::start();
#   $t->get('/api/v1/devices', key => $AMT::Api::key{admin});
#   my $sim = AMT::Api::devices($t, count => 2);   # rows, secrets, emulator

use strict;
use warnings;
use AMT::Test;
use AMT::Vault;
use Digest::SHA qw(sha256_hex);

our %key = map { $_ => "test-key-$_" }
    qw(admin reader power devices redirection tenant other gateway none);

our %grant = (
    admin => ':all', reader => ':read', power => ':read,power',
    devices => ':read,devices', redirection => ':redirection',
    tenant => 'T:all', other => 'U:all', gateway => '*:all',
);

sub keys_file {
    return join '', map { "$_:" . sha256_hex($key{$_}) . ":$grant{$_}\n" }
        sort keys %grant;
}

our $main = "thread_pool amt_read  threads=2;\n"
    . "thread_pool amt_write threads=1;\n"
    . "thread_pool amt_auth  threads=1 max_queue=8;\n";

# extra: more of the server block; http: more of the http block; listen;
# api: more of the location /api/v1/
sub http {
    my (%o) = @_;
    my $extra = $o{extra} // '';
    my $http = $o{http} // '';
    my $api = $o{api} // '';
    my $listen = $o{listen} // '127.0.0.1:%%PORT:http%%';

    # devices that refuse everything do so for one call only
    my $digest = $http =~ /amt_digest_zone/ ? ''
        : 'amt_digest_zone 1m refused=0;';

    return <<"END";
    amt_store      sqlite:%%DIR%%/store/amt.db;
    amt_vault      /_vault/ secret;
    amt_api_keys   %%DIR%%/api_keys;
    amt_users      %%DIR%%/users;
    amt_jwt_key    %%DIR%%/jwt.key;
    amt_audit_log  %%DIR%%/logs/audit.log;
    amt_ciracert   %%DIR%%/root.crt;
    $digest
    $http

    server {
        listen $listen;

        location /api/v1/ { amt_api; $api }
        location /mps/ { amt_api /mps; }

        location /_vault/ {
            internal;
            proxy_pass http://127.0.0.1:%%PORT:vault%%/v1/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_max_temp_file_size 0;
            proxy_connect_timeout 1s;
            proxy_read_timeout 2s;
            subrequest_output_buffer_size 256k;
        }
        $extra
    }

    server {
        listen unix:%%DIR%%/amt.sock;
        location /_cira/ { amt_cira_hooks; }
    }
END
}

sub stream {
    my (%o) = @_;
    my $stream = $o{stream} // '';

    return <<"END";
    cira_path    %%DIR%%/cira;
    cira_zone    devices 1m;
    cira_auth    http://unix:%%DIR%%/amt.sock:/_cira/auth;
    cira_notify  http://unix:%%DIR%%/amt.sock:/_cira/notify;
    $stream

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate      %%DIR%%/mps.crt;
        ssl_certificate_key  %%DIR%%/mps.key;
        cira;
    }

    server {
        listen unix:%%DIR%%/connect.sock;
        cira_connect;
    }
END
}

# Registers devices through the API and connects emulated ones.
sub devices {
    my ($t, %o) = @_;
    my $n = $o{count} ||= 1;
    my $as = delete $o{key} || 'admin';
    my $guid = $o{guid} ||= 'a0000000-0000-4000-8000-000000000001';

    require AMT::Sim;

    for my $i (0 .. $n - 1) {
        my $g = substr($guid, 0, -4) . sprintf '%04x',
            hex(substr $guid, -4) + $i;
        my $r = $t->post('/api/v1/devices', key => $key{$as}, json => {
            guid => $g, mpsusername => 'standalone',
            mpspassword => 'P@ssw0rd', amtpassword => 'P@ssw0rd' });
        die "device: $r->{status} $r->{body}" if $r->{status} !~ /^20[01]$/;
    }

    my $sim = AMT::Sim->start(mps => '127.0.0.1:' . $t->port('cira'), %o);
    for my $i (0 .. $n - 1) {
        $sim->wait_event('ready', guid => $sim->guid($i))
            or die 'not connected: ' . $sim->log;
    }

    return $sim;
}

# Writes the files the configuration names.
sub prepare {
    my (%o) = @_;
    my $t = AMT::Test->new(%{$o{test} || {}});

    $t->certs;
    mkdir "$t->{dir}/store";
    $t->write_file('api_keys', keys_file(), 0600);
    $t->write_file('users', $o{users} // '', 0600);
    $t->write_file('jwt.key', 'k' x 48, 0600);

    return $t;
}

sub start {
    my (%o) = @_;
    my $t = prepare(%o);
    my $vault = AMT::Vault->new($t->port('vault'));

    $t->start(main => $main, http => http(%o), stream => stream(%o));

    return ($t, $vault);
}

1;
