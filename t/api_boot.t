#!/usr/bin/perl
# REST: boot options and boot sources - every action code, what the device
# was told, what it made of it, and every way to refuse.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Fail;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(test => { workers => 2 },
    http => 'amt_timeout ' . $slow . 's; amt_budget ' . (5 * $slow) . 's;');
my $sim = AMT::Api::devices($t, count => 2, power_delay => 1,
    reconnect => 50);
my $ccm = AMT::Api::devices($t, guid => 'c0000000-0000-4000-8000-000000000001',
    control_mode => 'client', power_delay => 1);
my $guid = $sim->guid(0);
my $api = '/api/v1/amt/power';
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

sub boot {
    my ($json, %o) = @_;
    my $g = delete $o{guid} || $guid;
    $json = { useSOL => $false, %$json };
    delete $json->{useSOL} unless defined $json->{useSOL};
    return $t->post("$api/bootOptions/$g", key => $key{power}, json => $json,
        %o);
}

sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}

sub e400 { AMT::Fail::body('Incorrect URI or Bad Request', $_[0]) }

sub invalid {
    my ($r, @fields) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $name = pop @fields;
    is($r->{status}, 400, $name) or diag $r->{body};
    is_deeply([map { $_->{path} } @{$r->{json}{errors} || []}], \@fields,
        "$name: fields") or diag $r->{body};
}

# ---- sources ----

my $r = $t->get("$api/bootSources/$guid", key => $key{reader});
is($r->{status}, 200, 'boot sources');
is(scalar @{$r->{json}}, 6, 'all of them');
like($r->{body}, qr/^\[\{"biosBootString":"","bootString":"","elementName":
    "Intel\(r\)\ AMT:\ Boot\ Source","failThroughSupported":2,"instanceID":
    "Intel\(r\)\ AMT:\ Force\ Hard-drive\ Boot","structuredBiosBootString":
    "CIM:Hard-Disk:1","structuredBootString":"CIM:Hard-Disk:1"\},/x, 'shape');
is($r->{json}[4]{bootString}, '\\OemPba.efi', 'boot string');

# ---- every action: power request, source, settings ----

my $https = 'hoABABkAAABodHRwczovLzEwLjEuMS4xL2Jvb3QuZWZphoAUAAEAAAAB';
my $path = 'hoACAAsAAABcT2VtUGJhLmVmaYaAAwACAAAACwA=';
my $pba = 'HD(1,GPT,5A1D0000-1111-2222-3333-444455556666,0x800,0x32000)/'
    . '\\EFI\\PBA\\pba.efi';
my $url = { url => 'https://10.1.1.1/boot.efi' };
my $source = 'Intel(r) AMT: Force ';
my $ocr = "${source}OCR UEFI ";

for my $case (
    [100, {}, 2, '', { BIOSSetup => 1 }],
    [101, {}, 10, '', { BIOSSetup => 1 }],
    [101, { useSOL => $true }, 10, '', { BIOSSetup => 1, UseSOL => 1 }],
    [101, { useSOL => 'false' }, 10, '', { BIOSSetup => 1 }],
    ['101', { useSOL => '1' }, 10, '', { BIOSSetup => 1, UseSOL => 1 }],
    [105, { bootDetails => $url }, 10, "${ocr}HTTPS Boot",
        { ForcedProgressEvents => 1, UefiBootNumberOfParams => 2,
          UefiBootParametersArray => $https }],
    [106, { bootDetails => $url, useSOL => $true }, 2, "${ocr}HTTPS Boot",
        { ForcedProgressEvents => 1, UefiBootNumberOfParams => 2,
          UefiBootParametersArray => $https }],
    [105, { bootDetails => { url => 'https://boot.example.com/image.efi',
            username => 'bootuser', password => 'bootpass',
            enforceSecureBoot => 'true' } }, 10, "${ocr}HTTPS Boot",
        { ForcedProgressEvents => 1, UefiBootNumberOfParams => 4,
          UefiBootParametersArray => 'hoABACIAAABodHRwczovL2Jvb3QuZXhhbXBsZS'
            . '5jb20vaW1hZ2UuZWZphoAUAAEAAAABhoAoAAgAAABib290dXNlcoaAKQAIAAA'
            . 'AYm9vdHBhc3M=' }],
    [107, { bootDetails => { bootPath => $pba } }, 10,
        "${ocr}Boot Option 2", { ForcedProgressEvents => 1,
          UefiBootNumberOfParams => 2, UefiBootParametersArray => undef }],
    [108, { bootDetails => { bootPath => '\\OemPba.efi' } }, 2,
        "${ocr}Boot Option 1", { ForcedProgressEvents => 1,
          UefiBootNumberOfParams => 2, UefiBootParametersArray => $path }],
    [109, {}, 10, "${ocr}Boot Option 1", { ForcedProgressEvents => 1,
          UefiBootNumberOfParams => 2, UefiBootParametersArray => $path }],
    [110, { bootDetails => { bootPath => '\\OemPba.efi' } }, 2,
        "${ocr}Boot Option 1", { ForcedProgressEvents => 1,
          UefiBootNumberOfParams => 2, UefiBootParametersArray => $path }],
    [200, {}, 10, '', { UseIDER => 1 }],
    [201, {}, 2, '', { UseIDER => 1 }],
    [202, {}, 10, '', { UseIDER => 1, IDERBootDevice => 1 }],
    [203, { useSOL => $true }, 2, '',
        { UseIDER => 1, UseSOL => 1, IDERBootDevice => 1 }],
    [400, {}, 10, "${source}PXE Boot", {}],
    [401, {}, 2, "${source}PXE Boot", {}],
) {
    my ($action, $more, $power, $want, $set) = @$case;
    my $name = "action $action" . (%$more ? ' with ' . join ',', %$more : '');

    # a machine that is on takes no "on"
    if ($power == 2) {
        $t->post("$api/action/$guid", key => $key{power},
            json => { action => 8 });
        $sim->wait_event('power', guid => $guid, state => 8);
    }
    $sim->mark;
    my $r = boot({ action => $action, %$more });
    is($r->{status}, 200, $name) or diag $r->{body};
    like($r->{body}, qr/^\{"Header":\{.*RequestPowerStateChangeResponse".*\},
        "Body":\{"ReturnValue":0,"ReturnValueStr":"SUCCESS"\}\}$/x,
        "$name: body");
    my $e = $sim->wait_event('boot', guid => $guid) or next;
    my %boot = %{$e->{boot}};
    is(delete $boot{request}, $power, "$name: power request");
    is(delete $boot{source}, $want, "$name: source");
    is(delete $boot{role}, 1, "$name: next boot only");
    if (exists $set->{UefiBootParametersArray}
        && !defined $set->{UefiBootParametersArray})
    {
        ok(length delete $boot{UefiBootParametersArray}, "$name: parameters");
        delete $set->{UefiBootParametersArray};
    }
    $boot{$_} &&= 0 + $boot{$_} for grep { ref $boot{$_} } keys %boot;
    is_deeply(\%boot, $set, "$name: settings");
}

is($sim->instances(0, 'AMT_BootSettingData')->[0]{EnforceSecureBoot}, 'true',
    'EnforceSecureBoot was set once and stayed when it was not given');
$sim->mark;
is(boot({ action => 105, bootDetails => { %$url, enforceSecureBoot => $false }
    })->{status}, 200, 'turned off');
$sim->wait_event('boot', guid => $guid);
is($sim->instances(0, 'AMT_BootSettingData')->[0]{EnforceSecureBoot}, 'false',
    'it is off');

# ---- a source the device does not have: nothing boots, nothing stays ----

$sim->mark;
is_answer(boot({ action => 301 }), 400,
    e400('ChangeBootOrder: INVALID_REFERENCE (4)'), 'no diagnostic source');
is_answer(boot({ action => 400, useSOL => $true }), 400,
    e400('ChangeBootOrder: INVALID_PARAMETER (5)'), 'PXE and SOL');
is($sim->instances(0, 'AMT_BootSettingData')->[0]{UseSOL}, 'false',
    'the settings were put back');
is_answer(boot({ action => 107, bootDetails => { bootPath => '\\none.efi' } }),
    404, '{"error":{"alarm":"Alarm instance not found","device":"Device not '
    . 'found/connected. Please connect again using CIRA.","method":"Request '
    . 'does not contain method","noMethod":"Requested method does not exists'
    . '","payload":"Request does not contain payload","guid":"GUID does not '
    . 'exist in the payload","action":"Power action type does not exist",'
    . '"invalidGuid":"GUID empty/invalid"},"errorDescription":'
    . '"Boot source not found"}', 'no such path');
is(scalar(grep { $_->{event} eq 'boot' }
    @{$sim->events}[$sim->{seen} .. $#{$sim->events}]), 0, 'no boot');

# ---- each step is refused: the machine must not boot ----

# requests of one call: Get, ChangeBootOrder, Put, SetBootConfigRole,
# ChangeBootOrder, RequestPowerStateChange
my @step = (undef, 'ChangeBootOrder', 'AMT_BootSettingData.Put',
    'SetBootConfigRole', 'ChangeBootOrder');
for my $n (1 .. 4) {
    $sim->mark;
    $sim->misbehave(0, "fault=1*1\@$n");
    my $r = boot({ action => 400 });
    $sim->misbehave(0, 'off');
    is($r->{status}, 400, "fault in step $n");
    like($r->{json}{errorDescription}, qr/^\Q$step[$n]\E: InternalError/,
        "names the step") or diag $r->{body};
    is_deeply([grep { $_->{event} =~ /^(power|boot)$/ }
        @{$sim->events}[$sim->{seen} .. $#{$sim->events}]], [], 'no boot');
}
$sim->misbehave(0, 'fault=2*1@4');
like(boot({ action => 400 })->{json}{errorDescription},
    qr/^ChangeBootOrder: AccessDenied .*consent/, 'advice about consent');
$sim->misbehave(0, 'off');
$sim->misbehave(0, 'return=32784*1@1');
is_answer(boot({ action => 101 }), 400,
    e400('SetBootConfigRole: NOT_PERMITTED (32784)'), 'return value by name');
$sim->misbehave(0, 'off');
$sim->misbehave(0, 'return=2*1@3');
$r = boot({ action => 101 });
$sim->misbehave(0, 'off');
is_answer({ status => $r->{status}, body => JSON::PP->new->canonical->encode(
    $r->{json}{Body}) }, 200,
    '{"ReturnValue":2,"ReturnValueStr":"NOT_READY"}',
    'the power request\'s own value is 200');

# ---- what was told does not stay when there is no boot ----

{
    my %secret = (action => 105, bootDetails => { %$url, username => 'stays',
        password => 'not-for-long', enforceSecureBoot => $true });
    my $stays = 'Exception during Boot Setting request; boot settings of this '
        . 'call may have stayed on the device until its next boot or power '
        . 'action';
    my $setting = sub { $sim->instances(0, 'AMT_BootSettingData')->[0] };
    my $left = sub {
        my $i = $setting->();
        return join ' ', grep { length } $i->{UefiBootNumberOfParams} || '',
            $i->{UefiBootParametersArray} // '',
            $i->{ForcedProgressEvents} eq 'true' ? 'progress' : '',
            $sim->state(0)->{boot_source} // '';
    };
    my $since = sub { my $e = $sim->events; my $name = shift;
        return grep { $_->{event} eq $name } @$e[$sim->{seen} .. $#$e] };
    my $secure = $setting->()->{EnforceSecureBoot};

    for my $c (
        # the device says no
        ['at:Put,fault=1*1', 400], ['at:Put,obey-fault=1*1', 400],
        ['at:SetBootConfigRole,fault=1*1', 400],
        ['at:SetBootConfigRole,obey-return=2*1', 400],
        ['at:ChangeBootOrder,fault=1*1@1', 400],
        ['at:ChangeBootOrder,obey-fault=1*1@1', 400],
        ['at:RequestPowerStateChange,fault=1*1', 500],
        ['at:RequestPowerStateChange,return=2*1', 200],
        # an answer is missing
        ['at:Put,lost*1', 504], ['at:SetBootConfigRole,lost*1', 504],
        ['at:ChangeBootOrder,lost*1@1', 504], ['at:Put,mute*1', 504],
        ['at:SetBootConfigRole,mute*1', 504],
    ) {
        my ($how, $status) = @$c;
        $sim->mark;
        $sim->misbehave(0, $how);
        my $r = boot({ %secret });
        $sim->misbehave(0, 'off');
        is($r->{status}, $status, $how) or diag $r->{body};
        unlike($r->{body}, qr/stayed/, "$how: nothing has stayed");
        is(scalar($since->('boot')), 0, "$how: no boot");
        is($left->(), '', "$how: nothing is left on the device");
        is($setting->()->{EnforceSecureBoot}, $secure,
            "$how: secure boot is as it was");
    }

    # it may be booting: the settings are needed
    $sim->mark;
    $sim->misbehave(0, 'at:RequestPowerStateChange,lost*1');
    is_answer(boot({ %secret }), 504, AMT::Fail::body('Gateway Timeout',
        $stays), 'the last answer is missing');
    $sim->misbehave(0, 'off');
    my $e = $sim->wait_event('boot', guid => $guid);
    is($e && $e->{boot}{UefiBootNumberOfParams}, 4, 'it boots as it was told');

    # the tunnel ends: what can be done is to say so, and the next call's
    for my $c (['at:Put,drop-after*1', 504],
        ['at:SetBootConfigRole,drop-after*1', 504],
        ['at:SetBootConfigRole,fault=1*1,drop-after*1', 400],
        ['at:ChangeBootOrder,drop-after*1@1', 504])
    {
        my ($how, $status) = @$c;
        $sim->mark;
        $sim->misbehave(0, $how);
        my $r = boot({ %secret });
        $sim->misbehave(0, 'off');
        is($r->{status}, $status, $how) or diag $r->{body};
        like($r->{json}{errorDescription}, $status == 504 ? qr/^\Q$stays\E$/
            : qr/^SetBootConfigRole: .*; boot settings of this call may/,
            "$how: the error says so");
        ok($sim->wait_event('ready', guid => $guid), "$how: it comes back");
        like($left->(), qr/^4 /, "$how: they are still there");
        is($t->post("$api/action/$guid", key => $key{power},
            json => { action => 10 })->{status}, 200, "$how: a reset");
        my $e = $sim->wait_event('boot', guid => $guid);
        is_deeply([grep { /Uefi/ } keys %{$e->{boot}}], [],
            "$how: boots without them");
        is($left->(), '', "$how: nothing is left");
    }
    unlike($t->log, qr/not-for-long|bm90LWZvci1sb25n/, 'and nothing is logged');

    # a client that leaves does not stop the undoing
    $sim->mark;
    $sim->misbehave(0, 'at:SetBootConfigRole,mute*1');
    my $text = JSON::PP->new->encode({ useSOL => $false, %secret });
    my $s = $t->socket('http');
    $s->syswrite("POST $api/bootOptions/$guid HTTP/1.0\r\nHost: h\r\n"
        . "X-API-Key: $key{power}\r\nContent-Type: application/json\r\n"
        . 'Content-Length: ' . length($text) . "\r\n\r\n$text");
    ok($sim->wait_event('request', action => 'SetBootConfigRole'),
        'the role is set');
    like($left->(), qr/^4 /, 'the settings are there');
    close $s;
    ok($t->wait_for(sub { $left->() eq '' }, 5), 'and taken back without it');
    $sim->misbehave(0, 'off');
}

# ---- client control mode ----

my $c = $ccm->guid(0);
is_answer(boot({ action => 105, bootDetails => { %$url,
    enforceSecureBoot => $false } }, guid => $c), 400,
    e400('EnforceSecureBoot cannot be turned off in CCM'), 'secure boot');
like(boot({ action => 400 }, guid => $c)->{json}{errorDescription},
    qr/^ChangeBootOrder: AccessDenied .*consent/,
    'a source needs consent');
is($t->get("/api/v1/amt/userConsentCode/$c", key => $key{admin})->{status},
    200, 'consent is asked for');
is($t->post("/api/v1/amt/userConsentCode/$c", key => $key{admin},
    json => { consentCode => sprintf '%06d', $ccm->state(0)->{consent_code} })
    ->{status}, 200, 'and given');
is(boot({ action => 400 }, guid => $c)->{status}, 200, 'now it boots');

# ---- invalid input ----

invalid(boot({ action => $_ }), 'action', "action $_")
    for 2, 9, 104, 500, 501, '0101', 102;
invalid(boot({}), 'action', 'action', 'no action');
invalid(boot({ action => [100] }), 'action', 'action', 'a list');
invalid(boot({ action => 100, useSOL => undef }), 'useSOL', 'no useSOL');
invalid(boot({ action => 100, useSOL => 'yes' }), 'useSOL', 'useSOL');
invalid(boot({ action => 105 }), 'bootDetails.url', 'no URL');
invalid(boot({ action => 105, bootDetails => 'https://a.bc/' }),
    'bootDetails.url', 'bootDetails is text');
invalid(boot({ action => 106, bootDetails => { url => $_ } }),
    'bootDetails.url', "URL $_")
    for 'http://10.1.1.1/a', 'https://localhost/a', 'ftp://a.bc/x', 'a.bc/x',
        'https://a.bc/' . 'x' x 288;
is(boot({ action => 105, bootDetails => { url => 'https://a.bc/' . 'x' x 287 }
    })->{status}, 200, 'the longest URL');
invalid(boot({ action => 105, bootDetails => { %$url, username => 'u' x 17,
    password => 'secret-' x 3 } }), 'bootDetails.username',
    'bootDetails.password', 'long credentials');
unlike(boot({ action => 105, bootDetails => { %$url,
    password => 'secret-' x 3 } })->{body}, qr/secret/, 'not echoed');
unlike($t->log, qr/secret-|bootpass/, 'not logged');
invalid(boot({ action => 105, bootDetails => { %$url, username => 5,
    enforceSecureBoot => 'x' } }), 'bootDetails.username',
    'bootDetails.enforceSecureBoot', 'types');
invalid(boot({ action => 107 }), 'bootDetails.bootPath', 'no path');
invalid(boot({ action => 108, bootDetails => { bootPath => '' } }),
    'bootDetails.bootPath', 'empty path');
invalid(boot({ action => 109, bootDetails => { bootPath => 'x' x 301 } }),
    'bootDetails.bootPath', 'long path');
$r = $t->request('POST', "$api/bootOptions/$guid", key => $key{power},
    headers => { 'Content-Type' => 'application/json' }, content => '{');
is($r->{status}, 400, 'broken JSON');

my @lines = $t->read_file('logs/audit.log') =~ /^(.*"power\.boot".*)$/mg;
like($lines[0], qr/key:power.*"guid":"$guid".*"action":100/, 'audit line');
unlike("@lines", qr/bootpass/, 'without secrets');

# ---- everything that goes wrong ----

my $own = qr/^500 \{"error":"Failed to get boot source settings","details":".+"/;
AMT::Fail::routes($t, $sim, 1,
    { path => 'bootOptions', scope => 'reader',
      ask => sub { $t->post("$api/bootOptions/$_[0]", @_[1 .. $#_],
          json => { action => 101, useSOL => $false }) },
      exception => 'Exception during Boot Setting request' },
    { path => 'bootSources', scope => 'redirection',
      ask => sub { $t->get("$api/bootSources/$_[0]", @_[1 .. $#_]) },
      exception => 'Failed to get boot source settings',
      except => { map { $_ => $own } qw(fault bad-xml garbage-http
          always-401) } });

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;
is($ccm->stop, 0, 'in client mode, too') or diag $ccm->log;

AMT::Test::done();
