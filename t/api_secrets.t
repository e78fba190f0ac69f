#!/usr/bin/perl
# REST: a device's passwords - read in an emergency, rotated; what is refused,
# what is lost on the way, and workers that die at each step.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Fail;
use Time::HiRes qw(sleep time);

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my $pace = AMT::Test::pace();
my ($t, $vault) = AMT::Api::start(
    http => 'amt_timeout ' . (2 * $slow) . 's; amt_budget ' . (20 * $slow)
        . 's;');
my $sim = AMT::Api::devices($t, count => 4, reconnect => 50);
my $guid = $sim->guid(0);
my %wrong = (AMT_PASSWORD => 'Wr0ng!pass', MPS_PASSWORD => 'P@ssw0rd');

sub path { "/api/v1/admin/devices/$_[0]/secrets" }
sub secrets { $t->get(path($_[0] // $guid), key => $key{admin}) }
sub rotate {
    my ($json, %o) = @_;
    return $t->put(path($o{guid} // $guid), key => $o{key} // $key{admin},
        json => $json);
}
sub kept { $vault->get('devices/' . ($_[0] // $guid)) || {} }
sub works {
    my ($g) = @_;
    return $t->get('/api/v1/amt/version/' . ($g // $guid),
        key => $key{reader})->{status};
}
# logs in with what is in Vault, not with what is cached
sub works_anew {
    my ($g) = @_;
    $t->delete('/api/v1/devices/refresh/' . ($g // $guid), key => $key{admin});
    return works($g);
}

sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}
sub e400 { AMT::Fail::body('Incorrect URI or Bad Request', $_[0]) }
sub unsettled { grep { /PENDING/ } keys %{kept($_[0])} }
sub strong {
    return $_[0] =~ /[a-z]/ && $_[0] =~ /[A-Z]/ && $_[0] =~ /[0-9]/
        && $_[0] =~ /[!@#\$%^&*]/ && $_[0] =~ /^[\x21-\x7e]{8,32}$/;
}

# ---- reading ----

my $r = secrets();
is_answer($r, 200, qq({"guid":"$guid","mpsusername":"standalone","amtpassword")
    . qq(:"P\@ssw0rd","mpspassword":"P\@ssw0rd","version":1}), 'read');
is($r->{headers}{'cache-control'}, 'no-store', 'is not stored');
is_answer(secrets(uc $guid), 200, $r->{body}, 'GUID in upper case');
for my $k (qw(reader power devices redirection)) {
    is($t->get(path($guid), key => $key{$k})->{status}, 403, "$k may not");
    is(rotate({}, key => $key{$k})->{status}, 403, "$k may not change");
}
is($t->get(path($guid))->{status}, 401, 'nobody may not');
my $none = 'b0000000-0000-4000-8000-00000000000f';
is_answer(secrets($none), 404, '{"error":"NOT FOUND","message":"Device ID '
    . $none . ' not found"}', 'unknown device');
is_answer($t->get(path($guid), key => $key{tenant}), 404,
    qq({"error":"NOT FOUND","message":"Device ID $guid not found"}),
    'another tenant\'s is unknown');
is_answer(rotate({ generate => ['amtpassword'] }, key => $key{tenant}), 404,
    qq({"error":"NOT FOUND","message":"Device ID $guid not found"}),
    'and is not changed');
is($t->get(path('x'), key => $key{admin})->{status}, 400, 'no GUID');
my ($line) = $t->read_file('logs/audit.log')
    =~ /^(.*"secrets\.read","guid":"$guid".*)$/m;
ok($line, 'is in the audit log') && unlike($line, qr/P\@ssw0rd/,
    'without secrets');
$vault->mode('sealed');
is(secrets()->{status}, 503, 'sealed');
$vault->mode('');
$vault->forget('devices/' . $sim->guid(3));
is_answer(secrets($sim->guid(3)), 404, '{"error":"NOT FOUND","message":'
    . '"Secrets of device ' . $sim->guid(3) . ' not found"}', 'no secrets');
$vault->put('devices/' . $sim->guid(3), { AMT_PASSWORD => 'P@ssw0rd',
    MPS_PASSWORD => 'P@ssw0rd' });

# ---- rotating ----

is(works(), 200, 'works before');
is_answer(rotate({ amtpassword => 'N3w&<pass>\'!' }), 200,
    qq({"guid":"$guid","amtpassword":"rotated"}), 'a given one');
is(kept()->{AMT_PASSWORD}, 'N3w&<pass>\'!', 'is in Vault');
is(works(), 200, 'works after');
is(works_anew(), 200, 'also after another login');
is(scalar unsettled(), 0, 'nothing is pending');
is_answer(rotate({ generate => ['amtpassword', 'mebxpassword'] }), 200,
    qq({"guid":"$guid","mebxpassword":"rotated","amtpassword":"rotated"}),
    'made here');
ok(strong(kept()->{AMT_PASSWORD}), 'strong');
ok(strong(kept()->{MEBX_PASSWORD}), 'both');
isnt(kept()->{AMT_PASSWORD}, kept()->{MEBX_PASSWORD}, 'not the same');
is($sim->state(0)->{mebx}, kept()->{MEBX_PASSWORD}, 'the device has it');
is(works_anew(), 200, 'and the other one');
is(secrets()->{json}{mebxpassword}, kept()->{MEBX_PASSWORD}, 'is read');
is_answer(rotate({ mebxpassword => 'Me8x-p"!a' =~ s/"//r }), 200,
    qq({"guid":"$guid","mebxpassword":"rotated"}), 'MEBx alone');
is($sim->state(0)->{mebx}, 'Me8x-p!a', 'the device has it');
is_answer(rotate({}), 200, qq({"guid":"$guid"}), 'nothing to do');
unlike($t->log . $t->read_file('logs/audit.log'), qr/N3w&|Me8x/,
    'no secrets in logs');
like($t->read_file('logs/audit.log'),
    qr/"secrets\.rotate","guid":"$guid","detail":\{"fields":\["mebxpassword",
    "amtpassword"\]\}/x, 'audit line');

# ---- the tunnel's password waits for the device ----

is_answer(rotate({ mpspassword => 'Tunn3l!pass' }), 200,
    qq({"guid":"$guid","mpspassword":"staged"}), 'MPS password');
is(kept()->{MPS_PASSWORD}, 'P@ssw0rd', 'the old one stays');
is(secrets()->{json}{pending}{mpspassword}, 'Tunn3l!pass', 'beside the new');
sub again {
    $sim->mark;
    $sim->drop(0);
    return $sim->wait_event('ready', guid => $guid);
}
ok(again(), 'logs in with the old one');
is(kept()->{MPS_PASSWORD}, 'P@ssw0rd', 'and nothing changes');
$sim->set(0, 'mps-password', 'Tunn3l!pass');
ok(again(), 'logs in with the new one');
is(kept()->{MPS_PASSWORD}, 'Tunn3l!pass', 'which is the one from then on');
is(scalar unsettled(), 0, 'nothing is pending');
$sim->set(0, 'mps-password', 'P@ssw0rd');
$sim->mark;
$sim->drop(0);
ok($sim->wait_event('refused', guid => $guid), 'the old one is refused')
    or diag $sim->log;
$sim->set(0, 'mps-password', 'Tunn3l!pass');
ok($sim->wait_event('ready', guid => $guid), 'connected again');
is_answer(rotate({ generate => ['mpspassword'], amtpassword => 'N3xt!pass' }),
    200, qq({"guid":"$guid","amtpassword":"rotated","mpspassword":"staged"}),
    'one now, one later');
like(kept()->{MPS_PASSWORD_PENDING}, qr/^.{16}$/, 'of 16 characters');
$sim->set(0, 'mps-password', kept()->{MPS_PASSWORD_PENDING});
$vault->mode('race:1');
ok(again(), 'somebody else writes meanwhile');
$vault->mode('');
is(scalar unsettled(), 0, 'it is settled all the same');

# ---- a device that refuses ----

my $amt = kept()->{AMT_PASSWORD};
my $mebx = kept()->{MEBX_PASSWORD};
sub unchanged {
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply([@{kept()}{qw(AMT_PASSWORD MEBX_PASSWORD)}], [$amt, $mebx],
        "$name: Vault is unchanged");
    is(scalar unsettled(), 0, "$name: nothing is pending");
    is(works_anew(), 200, "$name: the device works");
}

$sim->misbehave(0, 'return=2054*1');
is_answer(rotate({ generate => ['amtpassword', 'mpspassword'] }), 400,
    e400('AMT password was not changed: INVALID_PASSWORD (2054)'), 'AMT');
$sim->misbehave(0, 'off');
unchanged('refused');
$sim->misbehave(0, 'return=16*1');
is_answer(rotate({ generate => ['amtpassword', 'mebxpassword'] }), 400,
    e400('MEBx password was not changed: NOT_PERMITTED (16)'), 'MEBx');
$sim->misbehave(0, 'off');
unchanged('MEBx refused');
$sim->misbehave(0, 'fault=2*1@2');
is_answer(rotate({ generate => ['amtpassword'] }), 400, e400('AMT password '
    . 'was not changed: AccessDenied The sender was not authorized to access '
    . 'the resource.'), 'fault');
$sim->misbehave(0, 'off');
unchanged('fault');
$sim->misbehave(0, 'return=2054*1@1');
is_answer(rotate({ amtpassword => 'N3ver!set', mebxpassword => 'M3bx!next' }),
    400, e400('AMT password was not changed: INVALID_PASSWORD (2054)'),
    'the second one');
$sim->misbehave(0, 'off');
is($sim->state(0)->{mebx}, 'M3bx!next', 'the first one is changed');
$mebx = 'M3bx!next';
unchanged('half');

my $ccm = AMT::Api::devices($t, control_mode => 'client',
    guid => 'c0000000-0000-4000-8000-000000000001');
is_answer(rotate({ generate => ['amtpassword', 'mebxpassword'] },
    guid => $ccm->guid(0)), 400,
    e400('MEBx password cannot be set in client control mode'),
    'client control mode');
is(kept($ccm->guid(0))->{AMT_PASSWORD}, 'P@ssw0rd', 'nothing is changed');
is_answer(rotate({ generate => ['amtpassword'] }, guid => $ccm->guid(0)), 200,
    '{"guid":"' . $ccm->guid(0) . '","amtpassword":"rotated"}',
    'AMT alone can be');
is($ccm->stop, 0, 'kept to the protocol') or diag $ccm->log;

# ---- answers that are lost ----

# requests: two Gets, the change; a 401 is none here
for my $m (['close-mid*1@2', 200], ['no-answer*1@3', 504],
    ['bad-xml*1@2', 200], ['drop-mid*1@2', 504])
{
    $sim->misbehave(0, $m->[0]);
    $sim->mark;
    my $r = rotate({ generate => ['amtpassword'] });
    $sim->misbehave(0, 'off');
    is($r->{status}, $m->[1], $m->[0]) or diag $r->{body};
    if ($m->[0] =~ /^drop/) {
        $sim->wait_event('ready', guid => $guid);
        ok(kept()->{AMT_PASSWORD_PENDING}, 'stays pending');
    }
    $t->wait_for(sub { works() == 200 });
    is(works_anew(), 200, "works after $m->[0]");
    is(rotate({})->{status}, 200, 'what is left is cleared away');
    is(scalar unsettled(), 0, 'nothing is pending');
    is(works_anew(), 200, 'works');
}

# ---- Vault fails ----

$vault->mode('error');
is_answer(rotate({ generate => ['amtpassword'] }), 503,
    AMT::Fail::body('Service Unavailable', 'Secret store did not answer'),
    'before');
$vault->mode('');
is(works_anew(), 200, 'nothing happened');

$amt = kept()->{AMT_PASSWORD};
is(works(), 200, 'a nonce is known');
$sim->misbehave(0, 'slow-drip=1*1@2');
$sim->mark;
{
    my $pid = fork // die;
    if (!$pid) {
        # fails from the moment the device has its new password
        $sim->wait_event('password_changed', guid => $guid);
        $vault->mode('error');
        POSIX::_exit(0);
    }
    $r = rotate({ amtpassword => 'V4ult!gone' });
    waitpid $pid, 0;
}
$sim->misbehave(0, 'off');
is($r->{status}, 503, 'Vault fails when the device has it') or diag $r->{body};
$vault->mode('');
is(kept()->{AMT_PASSWORD}, $amt, 'Vault has the old one');
is(kept()->{AMT_PASSWORD_PENDING}, 'V4ult!gone', 'and the new one');
is(works_anew(), 200, 'the next call finds out');
is(kept()->{AMT_PASSWORD}, 'V4ult!gone', 'and tells Vault');
is(scalar unsettled(), 0, 'nothing is pending');

$vault->mode('race:2');
is(rotate({ generate => ['amtpassword'] })->{status}, 200, 'lost races');
$vault->mode('');
is(works_anew(), 200, 'works');

# ---- left behind, by hand ----

my $now = kept()->{AMT_PASSWORD};
$vault->put("devices/$guid", { %{kept()}, AMT_PASSWORD_PENDING => 'Old!2345' });
is_answer(rotate({}), 200, qq({"guid":"$guid","amtpassword":"kept"}),
    'a pending one the device does not have');
is(kept()->{AMT_PASSWORD}, $now, 'the current one stays');
is(scalar unsettled(), 0, 'the other one is gone');
$vault->put("devices/$guid", { %{kept()}, AMT_PASSWORD => 'Old!2345',
    AMT_PASSWORD_PENDING => $now });
$t->delete("/api/v1/devices/refresh/$guid", key => $key{admin});
is_answer(rotate({}), 200, qq({"guid":"$guid","amtpassword":"resumed"}),
    'a pending one the device has');
is(kept()->{AMT_PASSWORD}, $now, 'is the current one');
$vault->put("devices/$guid", { %{kept()}, MEBX_PASSWORD => 'Old!2345',
    MEBX_PASSWORD_PENDING => 'R3sumed!' });
is_answer(rotate({}), 200, qq({"guid":"$guid","mebxpassword":"resumed"}),
    'a pending MEBx password');
is($sim->state(0)->{mebx}, 'R3sumed!', 'is set once more');
is(kept()->{MEBX_PASSWORD}, 'R3sumed!', 'and current');
$vault->put("devices/$guid", { %{kept()}, %wrong });
is(rotate({ generate => ['amtpassword'] })->{status}, 500,
    'the device has neither');
is(kept()->{AMT_PASSWORD}, 'Wr0ng!pass', 'Vault is left alone');
$vault->put("devices/$guid", { %{kept()}, AMT_PASSWORD => $now,
    MPS_PASSWORD => 'P@ssw0rd' });
$sim->set(0, 'mps-password', 'P@ssw0rd');

# ---- two at once: one of them wins, the device has what Vault has ----

my @pids = map {
    my $n = $_;
    my $pid = fork // die;
    if (!$pid) {
        delete $t->{ua};
        my $r = rotate({ amtpassword => "Tw0!at-once-$n" });
        diag "$n: $r->{status} $r->{body}" if $r->{status} !~ /200|409/;
        POSIX::_exit($r->{status} == 200 ? 0 : $r->{status} == 409 ? 1 : 2);
    }
    $pid;
} 1 .. 6;
my %codes;
for my $pid (@pids) { waitpid $pid, 0; $codes{$? >> 8}++ }
ok($codes{0}, 'at least one succeeds');
ok(!$codes{2}, 'the others succeed or give way') or diag explain \%codes;
is(scalar unsettled(), 0, 'nothing is pending');
is(works_anew(), 200, 'the device has what Vault has');

# ---- not connected ----

$sim->disconnect(3);
$t->wait_for(sub { works($sim->guid(3)) == 404 });
is_answer(rotate({ generate => ['amtpassword'] }, guid => $none), 404,
    '{"error":"NOT FOUND","message":"Device ID ' . $none . ' not found"}',
    'unknown');

# ---- input ----

for my $c ([amtpassword => 'short1!'], [amtpassword => 'nouppercase1!'],
    [amtpassword => 'NOLOWERCASE1!'], [amtpassword => 'NoDigits!!'],
    [amtpassword => 'NoSpecial12'], [amtpassword => 'With space1!'],
    [amtpassword => "Ctl\x01Aa1!xx"], [amtpassword => 'Quote"Aa1!'],
    [amtpassword => "Uml\x{e4}utAa1!"], [amtpassword => 'Aa1!' x 8 . 'x'],
    [mebxpassword => 'x'], [mpspassword => 'Aa1!' x 4 . 'x'],
    [amtpassword => 5], [amtpassword => undef], [generate => 'amtpassword'])
{
    my $r = rotate({ $c->[0] => $c->[1] });
    is($r->{status}, 400, "$c->[0] " . ($c->[1] // 'null'));
    is($r->{json}{errors}[0]{path}, $c->[0], 'is named') or diag $r->{body};
    unlike($r->{body}, qr/"value"/, 'and not echoed') if $c->[0] ne 'generate';
}
for my $c (['nothing'], [1], ['amtpassword', 'x']) {
    is(rotate({ generate => $c })->{status}, 400, "generate @$c");
}
is(rotate({ generate => ['amtpassword'], amtpassword => 'B0th!ways' })
    ->{status}, 400, 'given and made');
is(works_anew(), 200, 'nothing happened');

# ---- workers die at each step ----

# slow enough to hit the step, and only that
my %when = (
    pending => sub { unsettled($_[0]) },
    mebx => sub { grep { $_->{event} eq 'mebx_password' } $_[1]->() },
    amt => sub { grep { $_->{event} eq 'password_changed' } $_[1]->() },
    verified => sub {
        my @e = $_[1]->();
        my ($n) = grep { $e[$_]{event} eq 'password_changed' } 0 .. $#e;
        return defined $n && grep { $_->{event} eq 'request'
            && $_->{status} == 200 } @e[$n + 2 .. $#e];
    },
    settled => sub {
        my @e = $_[1]->();
        return (grep { $_->{event} eq 'password_changed' } @e)
            && !unsettled($_[0]);
    },
);

my $dying = AMT::Api::devices($t, reconnect => 50, latency => 100 * $pace,
    guid => 'e0000000-0000-4000-8000-000000000001');
my $d = $dying->guid(0);

for my $step (qw(pending mebx amt verified settled)) {
    my %before = %{kept($d)};
    my %next = (amtpassword => "Amt-$step-1!", mebxpassword => "Mbx-$step-1!");
    $dying->mark;
    my $events = sub { my $e = $dying->events;
        return grep { !$_->{guid} || $_->{guid} eq $d }
            @$e[$dying->{seen} .. $#$e] };

    $vault->mode('slow:' . 0.15 * $pace);
    my $pid = fork // die;
    if (!$pid) {
        delete $t->{ua};
        rotate(\%next, guid => $d);
        POSIX::_exit(0);
    }
    ok($t->wait_for(sub { $when{$step}->($d, $events) }, 20),
        "$step: reached");
    $t->kill_worker;
    waitpid $pid, 0;
    $vault->mode('');

    my %after = %{kept($d)};
    for my $k (qw(AMT MEBX)) {
        my %may = map { ($_ // '') => 1 } @after{"${k}_PASSWORD",
            "${k}_PASSWORD_PENDING"};
        ok($may{$next{lc "${k}password"}} || $may{$before{"${k}_PASSWORD"}
            // ''}, "$step: Vault has a way back for $k");
    }
    $dying->wait_event('ready', guid => $d);
    $t->wait_for(sub { works($d) == 200 }, 10);
    is(works($d), 200, "$step: an ordinary call works");
    is(rotate({}, guid => $d)->{status}, 200, "$step: settled");
    is(scalar unsettled($d), 0, "$step: nothing is pending");
    is(works_anew($d), 200, "$step: the device has what Vault has");
    is($dying->state(0)->{mebx}, kept($d)->{MEBX_PASSWORD} // '',
        "$step: also the MEBx password");
    isnt(kept($d)->{AMT_PASSWORD}, $before{AMT_PASSWORD}, "$step: the new one")
        if $step =~ /amt|verified|settled/;
}

is($dying->stop, 0, 'the gateway kept to the protocol') or diag $dying->log;
# a login was refused, so it is not 0
isnt($sim->stop, 3, 'also before') or diag $sim->log;

AMT::Test::done();
