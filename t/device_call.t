#!/usr/bin/perl

# Calls to devices over REST, device plane and digest login, with devices
# that behave and devices that do not.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Sim;
use AMT::Test;
use Digest::SHA qw(sha256_hex);
use JSON::PP;

my $t = AMT::Test->new(workers => 2);
my $slow = $t->slow;

my $key = 'device-call-key-0123456789';

$t->certs;
mkdir $t->dir . '/store', 0700;
$t->write_file('keystore.key', unpack('H*', join '', map { chr int rand 256 }
    1 .. 32) . "\n", 0600);
$t->write_file('api_keys', 'ops:' . sha256_hex($key) . ":-:all\n", 0600);

my $timeout = 1500 * $slow;

my $stream = <<'EOF';
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/amt.sock:/_cira/auth;
    cira_notify http://unix:%%DIR%%/amt.sock:/_cira/notify;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        include %%ROOT%%/conf/amt/tls-modern.conf;
        cira;
    }
EOF

my $http = <<"EOF";
    amt_store sqlite:%%DIR%%/store/amt.db;
    amt_vault /_vault/ secret;
    amt_api_keys %%DIR%%/api_keys;
    amt_timeout ${timeout}ms;
    amt_digest_zone 64k valid=1m;

    server {
        listen 127.0.0.1:%%PORT:https%% ssl;
        ssl_certificate %%DIR%%/web.crt;
        ssl_certificate_key %%DIR%%/web.key;
        location /api/v1/ { amt_api; }
    }
    server {
        listen unix:%%DIR%%/amt.sock;
        location /_cira/ { amt_cira_hooks; }
        location /_vault/ {
            internal;
            amt_keystore %%DIR%%/store/keystore.db key=%%DIR%%/keystore.key;
        }
    }
EOF

my $main = <<'EOF';
thread_pool amt_read threads=2;
thread_pool amt_write threads=1;
thread_pool amt_auth threads=1 max_queue=16;
EOF

# the end of the log, for what is printed when a test fails
sub recent {
    my @lines = grep { !/notice/ } split /\n/, $t->log;
    return join "\n", '', @lines[-(@lines < 12 ? @lines : 12) .. -1];
}

# ---- directives ---------------------------------------------------------------

for (
    [ 'amt_timeout 0;', qr/must be between/ ],
    [ 'amt_timeout 11m;', qr/must be between/ ],
    [ 'amt_timeout soon;', qr/invalid value/ ],
    [ 'amt_timeout 1s; amt_timeout 2s;', qr/duplicate/ ],
    [ 'amt_digest_zone 1k;', qr/at least/ ],
    [ 'amt_digest_zone much;', qr/invalid size/ ],
    [ 'amt_digest_zone 1m valid=0;', qr/invalid parameter/ ],
    [ 'amt_digest_zone 1m for=1m;', qr/invalid parameter/ ],
    [ 'amt_digest_zone 1m valid=1m refused=soon;', qr/invalid parameter/ ],
    [ 'amt_digest_zone off valid=1m;', qr/beside "off"/ ],
    [ 'amt_digest_zone 1m; amt_digest_zone off;', qr/duplicate/ ],
) {
    my ($line, $re) = @$_;
    my ($good, $text) = $t->check(http => $line);
    ok(!$good && $text =~ $re, "nginx -t refuses: $line") or diag($text);
}

ok(($t->check(http => 'amt_digest_zone off; amt_timeout 1ms;'))[0],
    'nginx -t passes amt_digest_zone off');

# ---- devices ------------------------------------------------------------------

$t->start(main => $main, stream => $stream, http => $http);

my $sim;

# a device of that number, row and passwords first
sub create {
    my ($guid, %o) = @_;
    my $r = $t->post('/api/v1/devices', key => $key, json => {
        guid => $guid, mpsusername => 'mps',
        mpspassword => 'Mps-P4ss!', amtpassword => 'Amt-P4ss!', %o });
    return $r->{status};
}

sub sim {
    my (%o) = @_;
    $sim->stop if $sim;
    $sim = AMT::Sim->start(mps => '127.0.0.1:' . $t->port('cira'),
        ca => $t->dir . '/root.crt', user => 'mps', password => 'Mps-P4ss!',
        amt_password => 'Amt-P4ss!', count => 1,
        power_delay => 1, %o);
    ok($sim->wait_event('ready', guid => $sim->guid(0)), 'device is ready')
        or diag($sim->log, recent());
    # the registry is written before the login is confirmed
}

sub call {
    my ($path, %o) = @_;
    return $t->get("/api/v1/amt/$path/" . $sim->guid(0), key => $key, %o);
}

sub action {
    my ($n) = @_;
    return $t->post('/api/v1/amt/power/action/' . $sim->guid(0),
        key => $key, json => { action => $n });
}

my $guid = 'a0000000-0000-4000-8000-000000000001';
is(create($guid), 201, 'device row and passwords');

is($t->get("/api/v1/amt/power/state/$guid", key => $key)->{status}, 404,
    'not connected');

sim();

# ---- what the calls give ------------------------------------------------------

my $r = call('power/state');
is($r->{status}, 200, 'power state') or diag($r->{body}, recent());
is_deeply($r->{json}, { powerstate => 2, OSPowerSavingState => 2 }, 'is on');

my $s = $sim->stats;
is($s->{unauthorized}, 1, 'one challenge');

for (1 .. 6) {
    call('power/state');
}
$s = $sim->stats;
is($s->{unauthorized}, 1, 'nonce and count go from call to call');
is($s->{requests}, 7 * 3 + 1, 'three requests for a call');

$r = call('generalSettings');
is($r->{status}, 200, 'general settings');
is($r->{json}{Body}{InstanceID}, 'Intel(r) AMT: General Settings', 'body');
is($r->{json}{Body}{AMTNetworkEnabled}, 1, 'numbers are numbers');
like($r->{json}{Header}{ResourceURI}, qr/AMT_GeneralSettings$/, 'header');
is($r->{json}{Header}{RelatesTo}, 0, 'message numbers are per call');

$r = call('version');
is($r->{status}, 200, 'version');
my ($amt) = grep { $_->{InstanceID} eq 'AMT' }
    @{$r->{json}{CIM_SoftwareIdentity}{responses}};
is($amt->{VersionString}, '16.1.25', 'firmware')
    or diag($r->{body});
is($r->{json}{AMT_SetupAndConfigurationService}{response}
    {ProvisioningMode}, 1, 'control mode');

$r = call('power/capabilities');
is($r->{status}, 200, 'capabilities');
is($r->{json}{'Power up'}, 2, 'of which one');
is($r->{json}{Hibernate}, 7, 'and one of newer firmware');

# ---- power actions ------------------------------------------------------------

$sim->set(0, 'AMT_BootSettingData.BIOSSetup', 'true');
$r = action(8);
is($r->{status}, 200, 'power off') or diag($r->{body});
is_deeply($r->{json}{Body}, { ReturnValue => 0, ReturnValueStr => 'SUCCESS' },
    'return value');
ok($t->wait_for(sub { $sim->state(0)->{power} == 8 }), 'the device is off');
is($sim->instances(0, 'AMT_BootSettingData')->[0]{BIOSSetup}, 'false',
    'boot settings are back to their defaults');

$r = action(10);
is($r->{status}, 200, 'reset of a device that is off');
isnt($r->{json}{Body}{ReturnValue}, 0, 'the firmware says no');
is($r->{json}{Body}{ReturnValueStr}, 'NOT_INITIALIZED',
    'by the name the original gives it (4097)') or diag($r->{body});

$r = action(2);
is($r->{json}{Body}{ReturnValue}, 0, 'power on');
ok($t->wait_for(sub { $sim->state(0)->{power} == 2 }), 'the device is on');

$r = action(100);
is_deeply($r->{json}, { Body => { RequestPowerStateChange_OUTPUT =>
    { ReturnValue => 36, ReturnValueStr => 'INVALID_PARAMETER' } } },
    'boot actions are not for this route');

$r = action(501);
is_deeply($r->{json}, { Body => { ReturnValue => 0,
    ReturnValueStr => 'COMPLETED_WITH_NO_ERROR' } }, 'OS power saving');
is($sim->state(0)->{os_power}, 3, 'is what the device has');
is(call('power/state')->{json}{OSPowerSavingState}, 3, 'and tells');
is_deeply(action(501)->{json}, { Body => { ReturnValue => 0,
    ReturnValueStr => 'COMPLETED_WITH_NO_ERROR' } }, 'already there');
$r = action(500);
is($r->{json}{Body}{ReturnValue}, 0, 'back to full power');
is($sim->state(0)->{os_power}, 2, 'is what the device has');

for my $n (15, 16, 17) {
    $r = action($n);
    is($r->{status}, 200, "action $n");
    isnt($r->{json}{Body}{ReturnValueStr}, 'INVALID_PARAMETER', 'is sent');
    $t->wait_for(sub { $sim->state(0)->{power} == 2 }, 1)
        or $sim->set(0, 'power', 2);
}

# ---- what goes wrong once, and what the next call finds ------------------------

# one call gives that status, the one after it works

sub once {
    my ($what, $status, %o) = @_;

    $sim->set(0, 'power', 2);
    $sim->misbehave(0, $what);
    my $begin = time;
    my $r = call($o{path} || 'generalSettings');
    my $took = time - $begin;
    is($r->{status}, $status, "$what gives $status")
        or diag($r->{body}, recent());
    cmp_ok($took, '<', $o{max} * $slow, "$what: in time") if $o{max};
    cmp_ok($took, '>', $o{min}, "$what: not too early") if $o{min};
    $sim->misbehave(0, 'off');
    if ($o{again}) {
        $sim->mark;
        eval { $sim->drop(0, 'rst') };
        $sim->connect(0);
        $sim->wait_event('ready', guid => $sim->guid(0));
    }
    $r = call('generalSettings');
    is($r->{status}, 200, "after $what a call works")
        or diag($r->{body}, recent());
}

once('new-nonce*1', 200);
once('content-length*3', 200);
once('fault-200*1', 200);
is(call('generalSettings')->{json}{Body}{AMTNetworkEnabled}, 1, 'still');

once('close-mid*1', 504, max => 0.5);
once('half-answer*1', 504, min => 0.5, max => 3, again => 1);
once('drop-mid*1', 504, max => 0.5, again => 1);
once('no-answer*1', 504, min => 0.5, max => 3);
once('new-nonce*1,no-confirm*1', 504, max => 3);
once('slow-drip=200', 504, max => 3);
once('garbage-http*1', 500, max => 0.5);
once('new-nonce*1,empty-challenge', 500, max => 0.5);
once('new-nonce*1,bad-challenge', 500, max => 0.5);
once('huge-header*1', 500, max => 0.5);
once('bad-chunk*1', 500, max => 0.5);
once('endless-chunk*1', 500, max => 3);
once('wrong-relates*1', 500, max => 0.5);
once('bad-xml*1', 500, max => 0.5);
once('deep-xml*1', 500, max => 0.5);
once('empty-body*1', 500, max => 0.5);
once('extra-bytes*1', 500, max => 0.5);
once('empty-400*1', 500, max => 0.5);
once('status*1', 500, max => 0.5);
once('endless-pull', 500, path => 'version', max => 10);
once('empty-items=6000,endless-pull', 500, path => 'version', max => 10);
like($t->log, qr/enumeration too large/, 'before it took much memory');
once('fault=1*1', 400, path => 'version');
once('new-nonce*1,close-on-open*9', 504, max => 3);
once('new-nonce*1,refuse=2*9', 500, max => 0.5);

# the parts of a power state that may fail alone

$sim->misbehave(0, 'bad-xml*1');
is_deeply(call('power/state')->{json},
    { powerstate => 2, OSPowerSavingState => 0 },
    'no OS state, a power state nevertheless');
$sim->misbehave(0, 'off');

# ---- passwords ----------------------------------------------------------------

my $before = $sim->stats->{unauthorized};
$sim->misbehave(0, 'always-401');
$r = call('power/state');
is($r->{status}, 500, 'a device that refuses all credentials');
cmp_ok($sim->stats->{unauthorized} - $before, '<=', 3,
    'is not asked without end');
$before = $sim->stats->{unauthorized};
my $failed = grep { $_->{event} eq 'auth_failed' } @{$sim->events};
is(call('power/state')->{status}, 500, 'and again');
is(scalar(grep({ $_->{event} eq 'auth_failed' } @{$sim->events})), $failed,
    'not asked at once, since devices lock their accounts')
    or diag(recent());
like($t->log, qr/refused AMT_PASSWORD of Vault a moment ago/,
    'the log tells why');
$sim->misbehave(0, 'off');
is(call('power/state')->{status}, 500, 'and not asked');
is($t->delete("/api/v1/devices/refresh/$guid", key => $key)->{status}, 200,
    'unless somebody says so');

# rotated on the device and in the secret store: the cache must not stand
# in the way

is(call('power/state')->{status}, 200, 'cached');
$sim->set(0, 'amt-password', 'New-P4ss!');
is(call('power/state')->{status}, 500, 'password changed on the device');
is($t->patch('/api/v1/devices', key => $key,
    json => { guid => $guid, amtpassword => 'New-P4ss!' })->{status}, 200,
    'and in the secret store');
is(call('power/state')->{status}, 200, 'works again');

$before = $sim->stats->{unauthorized};
$sim->set(0, 'amt-password', 'Other-P4ss!');
$t->patch('/api/v1/devices', key => $key,
    json => { guid => $guid, amtpassword => 'Other-P4ss!' });
is(call('power/state')->{status}, 200, 'rotated between two calls');
cmp_ok($sim->stats->{unauthorized} - $before, '<=', 3, 'few attempts');

$t->patch('/api/v1/devices', key => $key,
    json => { guid => $guid, amtpassword => 'Wrong-P4ss!' });
$before = $sim->stats->{unauthorized};
is(call('power/state')->{status}, 500, 'a wrong password');
cmp_ok($sim->stats->{unauthorized} - $before, '<=', 2,
    'at most one retry');
like($t->log, qr/refused AMT_PASSWORD/, 'the log tells why');

is($sim->stop, 0, 'the gateway kept to the protocol') or diag($sim->log);

# ---- nonces that do not last ----------------------------------------------------

$t->patch('/api/v1/devices', key => $key,
    json => { guid => $guid, amtpassword => 'Amt-P4ss!' });

for my $o ({ nonce_requests => 2 }, { nonce_requests => 2, stale => 1 },
    { nonce_requests => 1, stale => 1 }, { http_close => 1 },
    { qop => 'auth-int, auth' }, { chunk => 1 }, { page => 1 },
    { window => 64, max_data => 48 })
{
    my $name = join ' ', map { "$_=$o->{$_}" } sort keys %$o;

    sim(%$o);
    is(call($_)->{status}, 200, "$name: $_")
        for qw(power/state version generalSettings);
    is($sim->stop, 0, "$name: the gateway kept to the protocol")
        or diag($sim->log);
}

# ---- many at once ----------------------------------------------------------------

# n calls at the same time over connections of their own: statuses
sub parallel {
    my ($n, $path, $at_once) = @_;
    my @pipe;

    for my $i (1 .. $n) {
        my $pid = open(my $fh, '-|') // die "fork: $!";
        if (!$pid) {
            delete $t->{ua};
            my $r = eval { call($path) };
            syswrite STDOUT, $r ? $r->{status} : 'died';
            POSIX::_exit(0);
        }
        push @pipe, $fh;
    }

    return map { my $fh = $_; local $/; my $s = <$fh>; close $fh; $s } @pipe;
}

sim(latency => 5);
is(call('power/state')->{status}, 200, 'a challenge is there');
my @got = parallel(12, 'power/state');
is(scalar(grep { $_ eq '200' } @got), 12, 'twelve calls to one device')
    or diag("@got\n", recent());
is($sim->stats->{unauthorized}, 1,
    'which share its nonce and count over both workers');
is(scalar($sim->violations), 0, 'one request at a time, no count used twice');

# more than the owner lets wait, and slow: told apart, none hangs

$sim->stop;
sim(latency => 600 * $slow);
my $begin = time;
@got = parallel(24, 'power/state');
is(scalar(grep { /^(?:200|404|503|504)$/ } @got), 24,
    'a slow device and a crowd') or diag("@got");
cmp_ok(time - $begin, '<', 20 * $slow, 'none waits for ever');

# ---- a device that goes away, a client that goes away -----------------------------

for my $how ('', 'rst', 'vanish') {
    sim(latency => 300 * $slow, stay => 1);
    my $pid = fork();
    if (!$pid) {
        sleep 0.15 * $slow;
        $sim->{socket} = undef;
        $sim->{owner} = 0;
        $sim->drop(0, $how);
        POSIX::_exit(0);
    }
    $begin = time;
    delete $t->{ua};
    $r = call('generalSettings');
    ok($r->{status} == 504 || $r->{status} == 404,
        "connection lost ($how): $r->{status}");
    cmp_ok(time - $begin, '<', 3 * $slow, 'not too late');
    waitpid $pid, 0;
    $sim->stop;
}

sim(latency => 20);
is(call('power/state')->{status}, 200, 'before the clients go away');

for my $i (1 .. 40) {
    my $c = $t->socket('https', ssl => {}) or next;
    $c->syswrite("GET /api/v1/amt/power/state/$guid HTTP/1.1\r\n"
        . "Host: x\r\nX-API-Key: $key\r\n\r\n");
    sleep rand 0.08;
    $c->close(SSL_no_shutdown => $i % 2);
}

$begin = time;
is(call('power/state')->{status}, 200, 'after forty clients that went away');
cmp_ok(time - $begin, '<', 3 * $slow, 'the slot is free');
is(scalar($sim->violations), 0, 'the gateway kept to the protocol')
    or diag($sim->violations);

# over a reload, in the middle of calls

my $old = join ' ', sort $t->workers;
$t->reload;
isnt(join(' ', sort $t->workers), $old, 'reloaded');
is(call('power/state')->{status}, 200, 'new workers reach the old session');
is($sim->stats->{connected}, 1, 'which stayed');
is($sim->stop, 0, 'the gateway kept to the protocol') or diag($sim->log);

unlike($t->log, qr/P4ss!/, 'no password in the log');

$t->done;
