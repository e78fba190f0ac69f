#!/usr/bin/perl
# REST: a connected device - version, settings, power; what happens when it
# answers wrongly, late or not at all.  The whole way: HTTP, flow, CONNECT
# tunnel, APF, WSMAN, emulated device.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use Time::HiRes qw(sleep time);

my %key = %AMT::Api::key;
my $pace = AMT::Test::pace();
my ($t, $vault) = AMT::Api::start(test => { workers => 2 },
    http => 'amt_timeout ' . (2 * $pace) . 's; amt_budget '
        . (5 * $pace) . 's;');
my $sim = AMT::Api::devices($t, count => 2, power_delay => 1);
my $guid = $sim->guid(0);
my $api = '/api/v1/amt';

sub as { (key => $key{$_[0]}) }

sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}

sub e500 { qq({"error":"Internal Server Error","errorDescription":"$_[0]"}) }
sub e504 { qq({"error":"Gateway Timeout","errorDescription":"$_[0]"}) }
sub e400 { '{"error":"Incorrect URI or Bad Request","errorDescription":'
    . qq("$_[0]"}) }
sub gone { '{"error":"Device not found/connected. Please connect again using '
    . qq(CIRA.","errorDescription":"guid : $_[0]"}) }
sub table {
    return '{"error":{"alarm":"Alarm instance not found","device":"Device not '
        . 'found/connected. Please connect again using CIRA.","method":'
        . '"Request does not contain method","noMethod":"Requested method does '
        . 'not exists","payload":"Request does not contain payload","guid":'
        . '"GUID does not exist in the payload","action":"Power action type '
        . 'does not exist","invalidGuid":"GUID empty/invalid"},'
        . qq("errorDescription":"$_[0]"});
}

# ---- the good case ----

is_answer($t->get("$api/power/state/$guid", as('reader')), 200,
    '{"powerstate":2,"OSPowerSavingState":2}', 'power state');
is_answer($t->get("/mps$api/power/state/" . uc $guid, as('reader')), 200,
    '{"powerstate":2,"OSPowerSavingState":2}', 'GUID in upper case');

my $r = $t->get("$api/version/$guid", as('reader'));
is($r->{status}, 200, 'version');
like($r->{body}, qr/^\{"CIM_SoftwareIdentity":\{"responses":\[\{.*"status":200
    \},"AMT_SetupAndConfigurationService":\{"response":\{.*\},"responses":\{
    "Header":\{.*\},"Body":\{.*\}\},"status":200\}\}$/x, 'its shape');
my ($amt) = grep { $_->{InstanceID} eq 'AMT' }
    @{$r->{json}{CIM_SoftwareIdentity}{responses}};
is($amt->{VersionString}, '16.1.25', 'AMT version');
is($r->{json}{AMT_SetupAndConfigurationService}{response}{ProvisioningMode},
    1, 'control mode is a number');

$r = $t->get("$api/generalSettings/$guid", as('reader'));
is($r->{status}, 200, 'general settings');
like($r->{body}, qr/^\{"Header":\{"To":".*?","RelatesTo":\d+,"Action":".*?",
    "MessageID":".*?","ResourceURI":".*?"\},"Body":\{/x, 'header first');
is($r->{json}{Body}{HostName}, 'amt-0', 'host name');
is($r->{json}{Body}{ElementName},
    'Intel(r) AMT: General Settings', 'element name');

is_answer($t->get("$api/power/capabilities/$guid", as('reader')), 200,
    '{"Power up":2,"Power cycle":5,"Power down":8,"Reset":10,"Soft-off":12,'
    . '"Soft-reset":14,"Sleep":4,"Hibernate":7,"Power up to BIOS":100,'
    . '"Reset to BIOS":101,'
    . ($sim->instances(0, 'AMT_BootCapabilities')->[0]{SecureErase} eq 'true'
        ? '"Reset to Secure Erase":104,' : '')
    . '"Reset to IDE-R Floppy":200,'
    . '"Power on to IDE-R Floppy":201,"Reset to IDE-R CDROM":202,'
    . '"Power on to IDE-R CDROM":203,'
    . ($sim->instances(0, 'AMT_BootCapabilities')->[0]{ForceDiagnosticBoot}
        eq 'true' ? '"Power on to diagnostic":300,"Reset to diagnostic":301,'
        : '')
    . '"Reset to PXE":400,"Power on to PXE":401}', 'capabilities');

$r = $t->post("$api/power/action/$guid", as('power'), json => {
    action => 8, method => 'PowerAction', useSOL => JSON::PP::false });
is($r->{status}, 200, 'power off');
like($r->{body}, qr/^\{"Header":\{.*RequestPowerStateChangeResponse".*\},
    "Body":\{"ReturnValue":0,"ReturnValueStr":"SUCCESS"\}\}$/x, 'its body');
ok($sim->wait_event('power', guid => $guid, state => 8), 'the device is off');
is($t->get("$api/power/state/$guid", as('reader'))->{json}{powerstate}, 8,
    'power state says so');
$r = $t->post("$api/power/action/$guid", as('power'), json => { action => '2' });
is($r->{json}{Body}{ReturnValueStr}, 'SUCCESS', 'a string is a number here');
ok($sim->wait_event('power', guid => $guid, state => 2), 'on again');
is_answer($t->post("$api/power/action/$guid", as('power'),
    json => { action => 101 }), 200,
    '{"Body":{"RequestPowerStateChange_OUTPUT":{"ReturnValue":36,'
    . '"ReturnValueStr":"INVALID_PARAMETER"}}}', 'an extended code');
is_answer($t->post("$api/power/action/$guid", as('power'),
    json => { action => 501 }), 200,
    '{"Body":{"ReturnValue":0,"ReturnValueStr":"COMPLETED_WITH_NO_ERROR"}}',
    'OS power saving');
is($t->get("$api/power/state/$guid", as('reader'))->{json}
    {OSPowerSavingState}, 3, 'is on');
is($t->post("$api/power/action/$guid", as('power'), json => { action => 500 })
    ->{status}, 200, 'and off');

my $audit = $t->read_file('logs/audit.log');
my @lines = $audit =~ /^(.*"action":"power.action".*)$/mg;
is(scalar @lines, 5, 'each power action left an audit line');
like($lines[0], qr/key:power.*"guid":"$guid".*"action":8/, 'who, what, which')
    or diag $lines[0];

$r = $t->get("/api/v1/devices/$guid", as('reader'));
$t->wait_for(sub { $r = $t->get("/api/v1/devices/$guid", as('reader'));
    $r->{json}{connectionStatus} });
ok($r->{json}{connectionStatus}, 'the row says connected');
like($r->{json}{lastConnected}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/,
    'since when');
is(scalar @{$t->get('/api/v1/devices?status=1', as('reader'))->{json}}, 2,
    'status=1');

# ---- tenants ----

for my $p ('generalSettings', 'version', 'power/state', 'power/capabilities') {
    is_answer($t->get("$api/$p/$guid", as('tenant')), 401,
        '{"error":"Unauthorized","errorDescription":"Unauthorized"}',
        "$p, other tenant");
}
is_answer($t->post("$api/power/action/$guid", as('tenant'),
    json => { action => 8 }), 401,
    '{"error":"Unauthorized","errorDescription":"Unauthorized"}',
    'power action, other tenant');
is_answer($t->delete("/api/v1/devices/refresh/$guid", as('tenant')), 404, '',
    'refresh, other tenant');
is($sim->state(0)->{power}, 2, 'nothing happened');

# ---- refresh ----

is_answer($t->delete("/api/v1/devices/refresh/$guid", as('gateway')), 200,
    qq({"success":200,"description":"Device info refreshed : $guid"}),
    'refresh');
$vault->forget('devices/' . $sim->guid(1));
is_answer($t->delete('/api/v1/devices/refresh/' . $sim->guid(1), as('admin')),
    500, e500('Exception during Device Refresh'), 'no password in Vault');
$vault->put('devices/' . $sim->guid(1), { AMT_PASSWORD => 'P@ssw0rd',
    MPS_PASSWORD => 'P@ssw0rd' });

# ---- misbehaving devices: status and text per route ----

my %exception = (
    'generalSettings' => 'Exception during AMT General Settings request',
    'version' => 'Exception during AMT Version request',
    'power/state' => 'Exception during Power State request',
    'power/capabilities' => 'Exception during Power Capabilities request',
    'power/action' => 'Exception during Power Action request',
);
my %failed = (
    'version' => "AMT Version request failed for guid : $guid.",
    'power/state' => "Power State request failed for guid : $guid.",
);

sub ask {
    my ($p) = @_;
    return $p eq 'power/action'
        ? $t->post("$api/$p/$guid", as('power'), json => { action => 10 })
        : $t->get("$api/$p/$guid", as('reader'));
}

for my $p (sort keys %exception) {
    my $e500 = '500 ' . e500($exception{$p});
    my $late = $p eq 'power/state' ? '404 ' . table($exception{$p})
        : '504 ' . e504($exception{$p});
    my $fault = $failed{$p} ? '400 ' . e400($failed{$p}) : $e500;
    for my $m (['fault', $p eq 'generalSettings' ? qr/^200 \{"Header":\{.*\}\}$/
            : $fault],
        ['refuse=1', $fault], ['always-401', $e500], ['garbage-http', $e500],
        ['bad-xml', $e500], ['empty-body', $e500], ['deep-xml', $e500],
        ['huge-header', $e500], ['close-mid', $late], ['no-answer', $late])
    {
        if ($m->[0] eq 'refuse=1') {
            # a pooled channel would be used and not be refused
            $sim->misbehave(0, 'garbage-http');
            ask($p);
        }
        $sim->misbehave(0, $m->[0]);
        my $start = time;
        my $r = ask($p);
        my $took = time - $start;
        $sim->misbehave(0, 'off');
        my $got = "$r->{status} $r->{body}";
        ref $m->[1] ? like($got, $m->[1], "$p: $m->[0]")
            : is($got, $m->[1], "$p: $m->[0]");
        ok($took < 5.5 * $pace, "$p: $m->[0] does not hang")
            if $m->[0] eq 'no-answer';
        # the device is well again, with the same connection
        my $again = $t->get("$api/power/state/$guid", as('reader'));
        is($again->{status}, 200, "$p: well after $m->[0]")
            or diag $again->{body}, $sim->violations;
    }
}

# ---- Vault is needed once, then not ----

$vault->mode('error');
is($t->get("$api/power/state/$guid", as('reader'))->{status}, 200,
    'Vault fails, but the password is known');
$vault->mode('');
$t->delete("/api/v1/devices/refresh/$guid", as('admin'));
$vault->mode('sealed');
is_answer($t->get("$api/power/state/$guid", as('reader')), 503,
    '{"error":"Service Unavailable","errorDescription":'
    . '"Secret store is sealed"}', 'Vault is sealed after a refresh');
$vault->mode('');
is($t->get("$api/power/state/$guid", as('reader'))->{status}, 200,
    'Vault is back');

# ---- the password changes ----

$sim->set(0, 'amt-password', 'changed');
is_answer($t->get("$api/version/$guid", as('reader')), 500,
    e500('Exception during AMT Version request'), 'password is wrong');
is($t->patch('/api/v1/devices', as('admin'), json => { guid => $guid,
    amtpassword => 'changed' })->{status}, 200, 'new password through the API');
is($t->get("$api/version/$guid", as('reader'))->{status}, 200,
    'is used at once');

# ---- clients that leave, at every moment ----

my $head = " HTTP/1.1\r\nHost: h\r\nX-API-Key: $key{admin}\r\n";
for my $i (0 .. 30) {
    $sim->misbehave(0, 'slow-drip=1*1') if $i % 5 == 4;
    my $s = $t->socket('http');
    syswrite $s, $i % 2 ? "GET $api/power/capabilities/$guid$head\r\n"
        : "POST $api/power/action/$guid${head}Content-Type: application/json"
            . "\r\nContent-Length: 13\r\n\r\n{\"action\":10}";
    sleep 0.001 * $i * $pace;
    close $s;
}
$sim->misbehave(0, 'off');
# the actions go on without them, one after the other
ok($t->wait_for(sub { $t->get("$api/power/state/$guid", as('reader'))->{status}
    == 200 }), 'clients left, the device is well');
$vault->mode('slow:0.05');
for my $i (0 .. 20) {
    my $s = $t->socket('http');
    my $body = qq({"guid":"$guid","amtpassword":"changed","hostname":"h$i"});
    syswrite $s, "PATCH /api/v1/devices${head}Content-Type: application/json"
        . "\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    sleep 0.01 * $i;
    close $s;
}
$vault->mode('');
is($t->get("$api/power/state/$guid", as('reader'))->{status}, 200,
    'clients left while Vault was slow');
is($vault->get("devices/$guid")->{AMT_PASSWORD}, 'changed', 'Vault is well');

# ---- the device leaves ----

$sim->misbehave(0, 'half-answer');
my $s = $t->socket('http');
syswrite $s, "GET $api/version/$guid${head}Connection: close\r\n\r\n";
sleep 0.2;
$sim->drop(0);
like($t->exchange($s, ''), qr{ 504 .*Exception during AMT Version request}s,
    'connection lost while waiting');
$sim->misbehave(0, 'off');
$t->wait_for(sub { $t->get("$api/version/$guid", as('reader'))->{status}
    == 404 });
is_answer($t->get("$api/version/$guid", as('reader')), 404, gone($guid),
    'not connected any more');
is($t->get("$api/version/" . $sim->guid(1), as('reader'))->{status}, 200,
    'the other device is');

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

AMT::Test::done();
