#!/usr/bin/perl
# REST: connections that end through the API - DELETE /devices/{guid} and
# DELETE /devices/disconnect/{guid} - on this worker and on another; secrets
# that stay in Vault belong to the tenant that left them.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Dial;
use Time::HiRes qw(sleep);

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(test => { workers => 2 },
    stream => 'log_format d "$cira_guid|$cira_close_reason";'
    . 'access_log %%DIR%%/logs/cira.log d;',
    api => 'add_header X-Pid $pid always;');
my $api = '/api/v1/devices';

sub as { (key => $key{$_[0]}) }

sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}

# process id of the worker that has a device
sub owner {
    my ($guid) = @_;
    for my $path (glob $t->dir . '/cira/*.sock') {
        my ($pid) = $path =~ m{([0-9a-f]{8})\.sock$} or next;
        my ($status) = AMT::Dial::ask($path, "LOCATE $guid HTTP/1.1");
        return hex($pid) & 0x3fffff if ($status // 0) == 200;
    }
    return 0;
}

# the next requests go to this worker (or to another)
sub talk_to {
    my ($pid, $same) = @_;
    for (1 .. 500) {
        my $got = $t->get('/api/v1/version', as('admin'))->{headers}{'x-pid'};
        return 1 if ($got == $pid) == !!$same;
        delete $t->{ua};
    }
    return 0;
}

sub gone {
    return '{"error":"Device not found/connected. Please connect again using '
        . qq(CIRA.","errorDescription":"guid : $_[0]"});
}

# ---- disconnect ----

my $sim = AMT::Api::devices($t, count => 2, reconnect => 300);
my $guid = $sim->guid(0);

is_answer($t->delete("$api/disconnect/$guid", as('reader')), 403,
    $t->delete("$api/disconnect/$guid", as('power'))->{body}, 'scope');
is($t->delete("$api/disconnect/$guid")->{status}, 401, 'no key');
is($t->get("$api/disconnect/$guid", as('admin'))->{status}, 404, 'only DELETE');
is_answer($t->delete("$api/disconnect/x", as('devices')), 400,
    '{"errors":[{"type":"field","value":"x","msg":"Invalid value",'
    . '"path":"guid","location":"params"}]}', 'no GUID');
is_answer($t->delete("$api/disconnect/$guid", as('tenant')), 401,
    '{"error":"Unauthorized","errorDescription":"Unauthorized"}',
    'of another tenant');
my $other = '943e4567-e89b-12d3-a456-426614174000';
is_answer($t->delete("$api/disconnect/$other", as('devices')), 404,
    gone($other), 'not connected');

for my $same (1, 0) {
    my $where = $same ? 'this' : 'another';
    my $pid = owner($guid);
    ok($pid && talk_to($pid, $same), "device is on $where worker");
    $sim->mark;
    is_answer($t->delete("$api/disconnect/" . uc $guid, as('devices')), 200,
        '{"success":200,"description":"Device CIRA connection disconnected : '
        . uc($guid) . '"}', 'disconnected');
    ok($sim->wait_event('disconnected', guid => $guid), 'the device saw it');
    ok($sim->wait_event('ready', guid => $guid), 'and came back');
}
ok(!grep({ $_->{event} eq 'disconnected' && $_->{guid} eq $sim->guid(1) }
    @{$sim->events}), 'others stay');
like($t->read_file('logs/audit.log'),
    qr/"action":"device.disconnect".*"guid":"$guid"/, 'audit');
ok($t->wait_for(sub {
    2 <= grep { $_ eq "$guid|ended through the API" }
        split /\n/, $t->read_file('logs/cira.log') }), 'and the access log');

# ---- delete ----

for my $same (1, 0) {
    my $g = $sim->guid(1 - $same);
    my $where = $same ? 'this' : 'another';
    my $pid = owner($g);
    ok($pid && talk_to($pid, $same), "device is on $where worker");
    $sim->mark;
    is($t->delete("$api/$g?isSecretToBeDeleted=$same", as('devices'))
        ->{status}, 204, 'deleted');
    ok($sim->wait_event('disconnected', guid => $g), 'and disconnected');
    is_answer($t->get("/api/v1/amt/power/state/$g", as('admin')), 404,
        gone($g), 'nobody reaches it');
}
ok($t->log_wait(qr/CIRA login of $guid refused: no such device/),
    'it is not let in again');
is(scalar(() = $sim->violations), 0, 'emulator saw no violation');
$sim->stop;

# a session without a row, as of another login service
$sim = AMT::Api::devices($t, count => 1, key => 'tenant');
is($t->delete("$api/$guid?isSecretToBeDeleted=false", as('other'))->{status},
    404, 'another tenant cannot');
ok(owner($guid), 'and ends nothing');

# ---- secrets that stay ----

# the secret without its mark
sub passwords {
    my $s = $vault->get("devices/$guid");
    delete $s->{KEPT_FOR_TENANT};
    return $s;
}

is($t->delete("$api/$guid", as('tenant'))->{status}, 204, 'T deletes');
$sim->stop;
my $kept = $vault->get("devices/$guid");
is($kept->{AMT_PASSWORD}, 'P@ssw0rd', 'the secret stays');
like($kept->{KEPT_FOR_TENANT}, qr/^\d+ T$/, 'marked as T\'s');

is($t->post($api, as('tenant'), json => { guid => $guid })->{status}, 201,
    'T registers it again');
is($vault->get("devices/$guid")->{AMT_PASSWORD}, 'P@ssw0rd',
    'and has its passwords');
is($t->patch($api, as('tenant'), json => { guid => $guid,
    mebxpassword => 'Mx' })->{status}, 200, 'changes one');
is($vault->get("devices/$guid")->{MEBX_PASSWORD}, 'Mx', 'in Vault');
is($t->delete("$api/$guid", as('tenant'))->{status}, 204, 'deletes again');

$vault->mode('error');
is($t->post($api, as('other'), json => { guid => $guid })->{status}, 503,
    'without Vault nobody knows whose they are');
$vault->mode('');
is($t->get("$api/$guid", as('other'))->{status}, 404, 'no row');
is($t->post($api, as('other'), json => { guid => $guid })->{status}, 201,
    'U registers it');
is_deeply(passwords(), {}, 'without any passwords of T');
is($t->delete("$api/$guid?isSecretToBeDeleted=true", as('other'))->{status},
    204, 'deletes all');

# a row that cannot be written takes nothing from T
SKIP: {
    skip 'no sqlite3', 4 unless `sqlite3 -version 2>/dev/null`;
    $vault->put("devices/$guid", { AMT_PASSWORD => 'kept' });
    $t->post($api, as('tenant'), json => { guid => $guid });
    $t->delete("$api/$guid", as('tenant'));
    my $pid = open my $sq, '|-', 'sqlite3', "$t->{dir}/store/amt.db" or die;
    my $old = select $sq; $| = 1; select $old;
    print $sq "BEGIN IMMEDIATE;\nUPDATE devices SET hostname='locked';\n";
    sleep 0.3;
    like($t->post($api, as('other'), json => { guid => $guid,
        mpspassword => 'x' })->{status}, qr/^50[034]$/, 'store is locked');
    print $sq "ROLLBACK;\n.quit\n";
    close $sq;
    is($vault->get("devices/$guid")->{AMT_PASSWORD}, 'kept', 'put back');
    is($t->post($api, as('other'), json => { guid => $guid })->{status}, 201,
        'tried again');
    is_deeply(passwords(), {}, 'and still not U\'s');
    $t->delete("$api/$guid?isSecretToBeDeleted=true", as('other'));
}

my %t = (AMT_PASSWORD => 'Tt', MPS_PASSWORD => 'Tm');
$vault->put("devices/$guid", { %t });
is($t->post($api, as('tenant'), json => { guid => $guid })->{status}, 201,
    'provisioning wrote the secret before the row');
is_deeply($vault->get("devices/$guid"), { %t }, 'it stays');
is($t->delete("$api/$guid", as('tenant'))->{status}, 204, 'deleted');
is($t->post($api, as('other'), json => { guid => $guid,
    mpspassword => 'Um' })->{status}, 201, 'U registers it with a password');
is_deeply(passwords(), { MPS_PASSWORD => 'Um' },
    'that one is all there is');
is($t->delete("$api/$guid", as('other'))->{status}, 204, 'U deletes');

# whoever wrote it after the mark knows what he does
my $marked = $vault->get("devices/$guid");
$vault->put("devices/$guid", { %$marked, AMT_PASSWORD => 'Ta' });
is($t->post($api, as('tenant'), json => { guid => $guid })->{status}, 201,
    'T registers what was provisioned anew');
is($vault->get("devices/$guid")->{AMT_PASSWORD}, 'Ta', 'and keeps it');

$vault->mode('error');
is_answer($t->delete("$api/$guid", as('tenant')), 503,
    '{"error":"Service Unavailable","errorDescription":'
    . '"Secret store did not answer"}', 'no mark, no delete');
$vault->mode('');
is($t->get("$api/$guid", as('tenant'))->{status}, 200, 'the row is there');
is($t->delete("$api/$guid?isSecretToBeDeleted=true", as('tenant'))->{status},
    204, 'deleted with its secrets');
is($t->post($api, as('other'), json => { guid => $guid })->{status}, 201,
    'a new row');
is($vault->get("devices/$guid"), undef, 'makes no secret');

$t->done;
