#!/usr/bin/perl

# A device that comes back as another tenant's in the middle of a call: the
# rest of the call must not reach it.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep);
use AMT::Sim;
use AMT::Test;
use Digest::SHA qw(sha256_hex);

my $t = AMT::Test->new(workers => 1);
my $slow = $t->slow;

my $key = 'device-tenant-key-0123456789';
my $timeout = 3000 * $slow;

$t->certs;
mkdir $t->dir . '/store', 0700;
$t->write_file('keystore.key', unpack('H*', join '', map { chr int rand 256 }
    1 .. 32) . "\n", 0600);
$t->write_file('api_keys', 'ops:' . sha256_hex($key) . "::all\n", 0600);

$t->start(
    main => <<'EOC',
thread_pool amt_read threads=2;
thread_pool amt_write threads=1;
thread_pool amt_auth threads=1 max_queue=16;
EOC
    stream => <<'EOC',
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/amt.sock:/login;
    cira_notify http://unix:%%DIR%%/amt.sock:/_cira/notify;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        include %%ROOT%%/conf/amt/tls-modern.conf;
        cira;
    }
EOC
    http => <<"EOC");
    amt_store sqlite:%%DIR%%/store/amt.db;
    amt_vault /_vault/ secret;
    amt_api_keys %%DIR%%/api_keys;
    amt_timeout ${timeout}ms;

    server {
        listen 127.0.0.1:%%PORT:https%% ssl;
        ssl_certificate %%DIR%%/web.crt;
        ssl_certificate_key %%DIR%%/web.key;
        location /api/v1/ { amt_api; }
    }
    server {
        listen unix:%%DIR%%/amt.sock;
        location /_cira/ { amt_cira_hooks; }
        location = /login {
            if (-f %%DIR%%/moved) {
                return 200 '{"tenant":"other"}';
            }
            return 200 '{}';
        }
        location /_vault/ {
            internal;
            amt_keystore %%DIR%%/store/keystore.db key=%%DIR%%/keystore.key;
        }
    }
EOC

my $guid = 'a0000000-0000-4000-8000-000000000001';
my $path = "/api/v1/amt/power/state/$guid";

is($t->post('/api/v1/devices', key => $key, json => { guid => $guid,
    mpsusername => 'mps', mpspassword => 'Mps-P4ss!',
    amtpassword => 'Amt-P4ss!' })->{status}, 201, 'device row');

sub sim {
    my $sim = AMT::Sim->start(mps => '127.0.0.1:' . $t->port('cira'),
        ca => $t->dir . '/root.crt', user => 'mps', password => 'Mps-P4ss!',
        amt_password => 'Amt-P4ss!', count => 1,
        power_delay => 1, @_);
    ok($sim->wait_event('ready', guid => $guid), 'device is ready')
        or diag($sim->log);
    return $sim;
}

# the first answer takes long enough for the device to come again meanwhile

my $sim = sim(latency => 1500 * ($slow < 4 ? $slow : 4));

my $child = open(my $fh, '-|') // die "fork: $!";
if (!$child) {
    delete $t->{ua};
    my $r = eval { $t->get($path, key => $key) };
    syswrite STDOUT, $r ? "$r->{status} $r->{body}" : 'died';
    POSIX::_exit(0);
}

ok($t->wait_for(sub { $sim->stats->{requests} }), 'a call is under way');
$t->write_file('moved', '');
my $other = sim();

my $got = do { local $/; <$fh> };
close $fh;

like($got, qr/^404 /, 'the call does not go on in another tenant');
is($other->stats->{requests}, 0, 'whose device was not asked');
is($t->get($path, key => $key)->{status}, 401, 'nor does the next one');

$other->stop;
$sim->stop;
$t->done;
