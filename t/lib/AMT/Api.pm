package AMT::Api;

# What the tests of the REST API share: a configuration with store, a fake
# Vault and keys of several scopes and tenants.
#
#   my ($t, $vault) = AMT::Api::start();
#   $t->get('/api/v1/devices', key => $AMT::Api::key{admin});

use strict;
use warnings;
use AMT::Test;
use AMT::Vault;
use Digest::SHA qw(sha256_hex);

our %key = map { $_ => "test-key-$_" }
    qw(admin reader power devices redirection tenant other gateway none);

my %grant = (
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

    return <<"END";
    amt_store      sqlite:%%DIR%%/store/amt.db;
    amt_vault      /_vault/ secret;
    amt_api_keys   %%DIR%%/api_keys;
    amt_users      %%DIR%%/users;
    amt_jwt_key    %%DIR%%/jwt.key;
    amt_audit_log  %%DIR%%/logs/audit.log;
    amt_ciracert   %%DIR%%/root.crt;
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
END
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

    $t->start(main => $main, http => http(%o), stream => $o{stream} // '');

    return ($t, $vault);
}

1;
