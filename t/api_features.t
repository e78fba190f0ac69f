#!/usr/bin/perl
# REST: features - what is read, what is written and only that, firmware that
# lacks classes, refusals.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Fail;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(test => { workers => 2 },
    http => 'amt_timeout ' . $slow . 's; amt_budget ' . (5 * $slow) . 's;');
my $sim = AMT::Api::devices($t, count => 2);
my $ccm = AMT::Api::devices($t, guid => 'c0000000-0000-4000-8000-000000000001',
    control_mode => 'client');
my $old = AMT::Api::devices($t, guid => 'd0000000-0000-4000-8000-000000000001',
    without => 'CIM_KVMRedirectionSAP,CIM_BootService,CIM_BootSourceSetting');
my $guid = $sim->guid(0);
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

sub features { $t->get("/api/v1/amt/features/$_[0]", key => $key{reader}) }

sub set {
    my ($g, %o) = @_;
    return $t->post("/api/v1/amt/features/$g", key => $key{admin},
        json => { userConsent => 'none', enableSOL => $true,
            enableIDER => $true, enableKVM => $true, %o });
}

sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}

sub e400 { AMT::Fail::body('Incorrect URI or Bad Request', $_[0]) }

# writes of the device since the last mark, in order
sub writes {
    return [map { $_->{class} ? $_->{class} : () } grep {
        $_->{event} eq 'put' } @{$sim->events}[$sim->{seen}
        .. $#{$sim->events}]];
}

sub one { $_[0]->instances(0, $_[1])->[0] }

my $all = '{"userConsent":"none","redirection":true,"KVM":true,"SOL":true,'
    . '"IDER":true,"optInState":0,"kvmAvailable":true,"ocr":true,'
    . '"httpsBootSupported":true,"winREBootSupported":true,'
    . '"localPBABootSupported":true,"remoteErase":false}';
my $done = '{"status":"AMT Features updated"}';

is_answer(features($guid), 200, $all, 'features');
is_answer(features($ccm->guid(0)), 200,
    $all =~ s/"none"/"all"/r, 'client control mode');
is_answer(features($old->guid(0)), 200,
    '{"userConsent":"none","redirection":true,"KVM":false,"SOL":true,'
    . '"IDER":true,"optInState":0,"kvmAvailable":false,"ocr":false,'
    . '"httpsBootSupported":false,"winREBootSupported":false,'
    . '"localPBABootSupported":false,"remoteErase":false}',
    'firmware without KVM and boot services');

# ---- nothing differs: nothing is written ----

$sim->mark;
is_answer(set($guid), 200, $done, 'the same again');
is_deeply(writes(), [], 'writes nothing');

# ---- each switch ----

is_answer(set($guid, enableSOL => 'false'), 200, $done, 'SOL off');
is_deeply(writes(), ['AMT_RedirectionService'], 'one Put');
is(one($sim, 'AMT_RedirectionService')->{EnabledState}, 32769, 'IDE-R only');
is(one($sim, 'AMT_RedirectionService')->{ListenerEnabled}, 'true',
    'the listener is on');
is_answer(set($guid, enableSOL => 0, enableIDER => '0'), 200, $done,
    'IDE-R off, too');
is(one($sim, 'AMT_RedirectionService')->{EnabledState}, 32768, 'none');
is(one($sim, 'AMT_RedirectionService')->{ListenerEnabled}, 'true',
    'KVM still needs the listener');
is_answer(set($guid, enableSOL => $false, enableIDER => $false,
    enableKVM => $false), 200, $done, 'KVM off, too');
is(one($sim, 'CIM_KVMRedirectionSAP')->{EnabledState}, 3, 'KVM is off');
is(one($sim, 'AMT_RedirectionService')->{ListenerEnabled}, 'false',
    'and the listener');
my $r = features($guid);
is_deeply([@{$r->{json}}{qw(redirection KVM SOL IDER)}],
    [$false, $false, $false, $false], 'as read');
is_answer(set($guid, enableIDER => $false), 200, $done, 'on again');
is(one($sim, 'AMT_RedirectionService')->{EnabledState}, 32770, 'SOL');
is(one($sim, 'CIM_KVMRedirectionSAP')->{EnabledState}, 6, 'KVM');

# the listener alone is off
$sim->set(0, 'AMT_RedirectionService.ListenerEnabled', 'false');
is_answer(set($guid, enableIDER => $false), 200, $done, 'listener was off');
is(one($sim, 'AMT_RedirectionService')->{ListenerEnabled}, 'true', 'is on');

$sim->mark;
for my $c (['kvm', 1], ['all', 4294967295], ['none', 0]) {
    is_answer(set($guid, enableIDER => $false, userConsent => $c->[0]), 200,
        $done, "consent $c->[0]");
    is(one($sim, 'IPS_OptInService')->{OptInRequired}, $c->[1], 'is set');
    is(features($guid)->{json}{userConsent}, $c->[0], 'is read');
}
is_deeply(writes(), [('IPS_OptInService') x 3], 'and nothing else');
$sim->set(0, 'IPS_OptInService.OptInRequired', '7');
ok(!exists features($guid)->{json}{userConsent}, 'an unknown one is left out');
$sim->set(0, 'IPS_OptInService.OptInRequired', '0');

is_answer(set($guid, enableIDER => $false, ocr => $false), 200, $done,
    'OCR off');
is(one($sim, 'CIM_BootService')->{EnabledState}, 32768, 'is off');
ok(!features($guid)->{json}{ocr}, 'is read');
is_answer(set($guid, enableIDER => $false, ocr => 'true'), 200, $done, 'on');
is(one($sim, 'CIM_BootService')->{EnabledState}, 32769, 'is on');

# a single boot source is no list of letters
$sim->set(0, 'AMT_BootSettingData.UEFIHTTPSBootEnabled', 'false');
ok(!features($guid)->{json}{httpsBootSupported}, 'HTTPS boot needs the setting');

# ---- refusals ----

is_answer(set($ccm->guid(0)), 400, e400('IPS_OptInService: AccessDenied The '
    . 'sender was not authorized to access the resource.'),
    'consent cannot be changed in client mode');
is_answer(set($ccm->guid(0), userConsent => 'all', enableSOL => $false), 200,
    $done, 'the rest can');
is_answer(set($old->guid(0)), 400, e400('KVM is not available on this device'),
    'no KVM');
is_answer(set($old->guid(0), enableKVM => $false), 200, $done,
    'not asked for');
is_answer(set($old->guid(0), enableKVM => $false, ocr => $true), 400,
    e400('CIM_BootService: DestinationUnreachable No route can be determined '
    . 'to reach the destination role defined by the WSAddressing To.'),
    'no boot service') or diag $old->violations;

for my $c ([0, 'AMT_RedirectionService'], [1, 'CIM_KVMRedirectionSAP']) {
    $sim->misbehave(0, "return=16*1\@$c->[0]");
    is_answer(set($guid), 400, e400("$c->[1]: return value 16"),
        "$c->[1] refuses");
    $sim->misbehave(0, 'off');
}
$sim->misbehave(0, 'fault=1*1@3');
like(set($guid, userConsent => 'all')->{json}{errorDescription},
    qr/: InternalError /, 'fault of a Put');
$sim->misbehave(0, 'off');

# ---- input ----

for my $c (['userConsent', 'KVM', 1], ['userConsent', undef, 2],
    ['userConsent', 1, 2], ['enableSOL', 'on', 1], ['enableIDER', undef, 1],
    ['enableKVM', [$true], 1], ['ocr', 'x', 1])
{
    my $r = set($guid, $c->[0] => $c->[1]);
    is($r->{status}, 400, "$c->[0] is wrong");
    is_deeply([map { "$_->{path} $_->{msg}" } @{$r->{json}{errors}}],
        [("$c->[0] Invalid value") x $c->[2]], 'and named') or diag $r->{body};
}

like($t->read_file('logs/audit.log'), qr/"features\.change","guid":"$guid",
    "detail":\{"userConsent":"none","enableSOL":true/x, 'audit line');

AMT::Fail::routes($t, $sim, 1,
    { path => 'features GET', scope => 'redirection',
      ask => sub { $t->get("/api/v1/amt/features/$_[0]", @_[1 .. $#_]) },
      exception => 'Exception during AMT Features request' },
    { path => 'features POST', scope => 'power',
      ask => sub { $t->post("/api/v1/amt/features/$_[0]", @_[1 .. $#_],
          json => { userConsent => 'all', map { $_ => $true }
              qw(enableSOL enableIDER enableKVM) }) },
      exception => 'Exception during AMT Features Set request' });

for my $s ($sim, $ccm, $old) {
    is($s->stop, 0, 'the gateway kept to the protocol') or diag $s->log;
}

AMT::Test::done();
