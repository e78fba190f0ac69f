#!/usr/bin/perl
# REST: a device's AMT password is changed - what the device says about it is
# not what it does: faults after it obeyed, tunnels that end between two
# steps, workers that die there; and the tunnel's own password, of which one
# at a time is staged.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Fail;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my $pace = AMT::Test::pace();
my ($t, $vault) = AMT::Api::start(
    http => 'amt_timeout ' . (2 * $slow) . 's; amt_budget ' . (20 * $slow)
        . 's;');
my $sim = AMT::Api::devices($t, count => 2, reconnect => 50, lockout => 5);
my $guid = $sim->guid(0);

sub rotate {
    my ($json, %o) = @_;
    return $t->put('/api/v1/admin/devices/' . ($o{guid} // $guid)
        . '/secrets', key => $key{admin}, json => $json);
}
sub kept { $vault->get('devices/' . ($_[0] // $guid)) || {} }
sub unsettled { grep { /PENDING/ } keys %{kept($_[0])} }
sub works {
    return $t->get('/api/v1/amt/version/' . ($_[0] // $guid),
        key => $key{reader})->{status};
}
sub works_anew {
    $t->delete('/api/v1/devices/refresh/' . ($_[0] // $guid),
        key => $key{admin});
    return works($_[0]);
}
sub events {
    my ($name) = @_;
    my $e = $sim->events;
    return grep { $_->{event} eq $name } @$e[$sim->{seen} .. $#$e];
}
sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}
sub e400 { AMT::Fail::body('Incorrect URI or Bad Request', $_[0]) }

my $rotated = qq({"guid":"$guid","amtpassword":"rotated"});
my $unknown = AMT::Fail::body('Gateway Timeout', 'The device did not say '
    . 'whether it has its new password, which stays pending in the secret '
    . 'store: call again');
my $not = 'AMT password was not changed: ';
my $denied = 'AccessDenied The sender was not authorized to access the '
    . 'resource.';

# ---- what it says, what it does, what it takes ----

is(works(), 200, 'works before');

# switches; status, body; refused logins during the call; which one is
# the device's
for my $c (
    ['obey-fault=1*1', 200, $rotated, 1, 'new'],
    ['obey-fault=2*1', 200, $rotated, 1, 'new'],
    ['obey-fault=3*1', 200, $rotated, 1, 'new'],
    ['obey-return=2054*1', 200, $rotated, 1, 'new'],
    ['fault=2*1', 400, e400($not . $denied), 0, 'old'],
    ['return=2054*1', 400, e400($not . 'INVALID_PASSWORD (2054)'), 0, 'old'],
    # says that it obeyed, but did not
    ['lost*1', 200, $rotated, 0, 'new'],
    # refused, and then nobody is let in for two logins
    ['fault=1*1,always-401*2@3', 504, $unknown, 2, 'old'],
    ['obey-fault=1*1,always-401*2@3', 504, $unknown, 2, 'new'],
    # the tunnel ends after the answer
    ['fault=1*1,drop-after*1', 504, $unknown, 0, 'old'],
    ['obey-fault=1*1,drop-after*1', 504, $unknown, 0, 'new'],
    ['drop-after*1', 504, $unknown, 0, 'new'],
    # the answer to the question is missing
    ['fault=1*1,close-mid*1@3', 504, $unknown, 0, 'old'],
    ['obey-fault=1*1,close-mid*1@3', 504, $unknown, 0, 'new'],
) {
    my ($how, $status, $body, $refused, $has) = @$c;
    my $n = ++$main::n;
    my %before = %{kept()};
    my $next = "Next!pass-$n";

    works_anew();                            # a nonce, no failed login counted
    $sim->mark;
    $sim->misbehave(0, "at:SetAdminAclEntryEx,$how");
    my $r = rotate({ amtpassword => $next });
    $sim->misbehave(0, 'off');
    is_answer($r, $status, $body, $how);
    is(scalar(events('auth_failed')), $refused, "$how: refused logins");
    is(scalar(events('locked')), 0, "$how: it is not locked");

    if ($status == 504) {
        is_deeply([@{kept()}{qw(AMT_PASSWORD AMT_PASSWORD_PENDING)}],
            [$before{AMT_PASSWORD}, $next], "$how: Vault has both");
        $sim->wait_event('ready', guid => $guid) if $how =~ /drop/;
        $t->wait_for(sub { works() == 200 });
        is(works_anew(), 200, "$how: an ordinary call works");
        is(rotate({})->{status}, 200, "$how: settled");
        is(scalar(events('locked')), 0, "$how: it is still not locked");
    }

    is(kept()->{AMT_PASSWORD}, $has eq 'new' ? $next : $before{AMT_PASSWORD},
        "$how: the $has one is in Vault");
    is(scalar unsettled(), 0, "$how: nothing is pending");
    is(works_anew(), 200, "$how: and the device has it");
}

like($t->log, qr/has the password it refused: \Q$not\EInternalError/, 'what was odd is in the log');
unlike($t->log . $t->read_file('logs/audit.log'), qr/Next!pass/,
    'the passwords are not');

# another one with it: MEBx is not undone, what is staged is given up
$sim->misbehave(0, 'at:SetAdminAclEntryEx,obey-fault=1*1');
is_answer(rotate({ amtpassword => 'B0th!new-one', mebxpassword => 'B0th!mebx',
    mpspassword => 'B0th!mps' }), 200, qq({"guid":"$guid","mebxpassword":)
    . qq("rotated","amtpassword":"rotated","mpspassword":"staged"}),
    'with others');
$sim->misbehave(0, 'off');
is(kept()->{MPS_PASSWORD_PENDING}, 'B0th!mps', 'is staged');
is(works_anew(), 200, 'works');

# MEBx cannot be asked: after a fault the next call sets it once more
for my $c (['obey-fault=1*1', 504, 'rotated'], ['fault=1*1', 504, 'rotated'],
    ['fault=1*2', 504, 'kept'], ['fault=2*1', 400, ''],
    ['return=2054*1', 400, ''])
{
    my ($how, $status, $then) = @$c;
    my $n = ++$main::n;
    my ($before, $next) = (kept()->{MEBX_PASSWORD}, "Mebx!pass-$n");
    $sim->misbehave(0, "at:SetMEBxPassword,$how");
    my $r = rotate({ mebxpassword => $next });
    is($r->{status}, $status, "MEBx, $how") or diag $r->{body};
    is(kept()->{MEBX_PASSWORD_PENDING}, $status == 504 ? $next : undef,
        "MEBx, $how: " . ($then ? 'stays pending' : 'nothing is pending'));
    is_answer(rotate({}), 200, qq({"guid":"$guid") . ($then
        ? ',"mebxpassword":"' . ($then eq 'kept' ? 'kept' : 'resumed') . '"'
        : '') . '}', "MEBx, $how: settled");
    $sim->misbehave(0, 'off');
    is(kept()->{MEBX_PASSWORD}, $then eq 'rotated' ? $next : $before,
        "MEBx, $how: what Vault has");
    is($sim->state(0)->{mebx}, kept()->{MEBX_PASSWORD},
        "MEBx, $how: the device has, too");
    is(scalar(grep { /MEBX.*PENDING/ } unsettled()), 0,
        "MEBx, $how: nothing is pending");
}

# ---- workers die between the answer and the decision ----

my $latency = 100 * $pace;
my $dying = AMT::Api::devices($t, reconnect => 50, latency => $latency,
    guid => 'e0000000-0000-4000-8000-000000000001');
my $d = $dying->guid(0);

sub dying {
    my ($name, %want) = @_;
    my $e = $dying->events;
    return grep { my $x = $_; $x->{event} eq $name
        && !grep { ($x->{$_} // '') ne $want{$_} } keys %want }
        @$e[$dying->{seen} .. $#$e];
}

for my $c (
    ['obey-fault=1*1', 'answered', 'new',
        sub { dying('request', action => 'SetAdminAclEntryEx') }],
    ['fault=1*1', 'answered', 'old',
        sub { dying('request', action => 'SetAdminAclEntryEx') }],
    ['obey-fault=1*1', 'old one refused', 'new',
        sub { dying('auth_failed') }],
    ['obey-fault=1*1', 'new one taken', 'new',
        sub { dying('auth_failed')
            && dying('request', class => 'AMT_GeneralSettings',
                     status => 200) > 1 }],
) {
    my ($how, $step, $has, $reached) = @$c;
    my $name = "$how, $step";
    my %before = %{kept($d)};
    my $next = 'Dying!' . ++$main::n;

    is(works_anew($d), 200, "$name: works before");
    $dying->mark;
    $dying->misbehave(0, "at:SetAdminAclEntryEx,$how");
    $vault->mode('slow:' . 0.15 * $pace);
    my $pid = fork // die;
    if (!$pid) {
        delete $t->{ua};
        rotate({ amtpassword => $next }, guid => $d);
        POSIX::_exit(0);
    }
    ok($t->wait_for($reached, 20), "$name: reached");
    $t->kill_worker;
    waitpid $pid, 0;
    $vault->mode('');
    $dying->misbehave(0, 'off');

    my %after = %{kept($d)};
    ok((grep { ($after{$_} // '') eq ($has eq 'new' ? $next
            : $before{AMT_PASSWORD}) } qw(AMT_PASSWORD AMT_PASSWORD_PENDING)),
        "$name: Vault has a way back");
    $dying->wait_event('ready', guid => $d);
    $t->wait_for(sub { works($d) == 200 }, 10);
    is(works($d), 200, "$name: an ordinary call works");
    is(rotate({}, guid => $d)->{status}, 200, "$name: settled");
    is(scalar unsettled($d), 0, "$name: nothing is pending");
    is(kept($d)->{AMT_PASSWORD},
        $has eq 'new' ? $next : $before{AMT_PASSWORD},
        "$name: the $has one is in Vault");
    is(works_anew($d), 200, "$name: and the device has it");
}
is($dying->stop, 0, 'the gateway kept to the protocol') or diag $dying->log;

# ---- the tunnel's password: one at a time is staged ----

my $second = AMT::Fail::body('Conflict', 'Another MPS password is staged, '
    . 'which the device may have been configured with: withdraw it first if '
    . 'it was not');
my $m = $sim->guid(1);
my $staged = qq({"guid":"$m","mpspassword":"staged"});
sub mps { rotate($_[0], guid => $m) }
sub pending { kept($m)->{MPS_PASSWORD_PENDING} }
sub login {
    my ($password) = @_;
    $sim->set(1, 'mps-password', $password);
    $sim->mark;
    $sim->drop(1);
    return $sim->wait_event('ready', guid => $m);
}

is_answer(mps({ mpspassword => 'First!2345' }), 200, $staged, 'one');
is_answer(mps({ mpspassword => 'Second!2345' }), 409, $second, 'another');
is(pending(), 'First!2345', 'the first one stays');
is_answer(mps({ mpspassword => 'First!2345' }), 200, $staged,
    'the same once more');
is_answer(mps({ generate => ['mpspassword'] }), 409, $second, 'a new one');
$sim->mark;
is_answer(mps({ mpspassword => 'Second!2345', amtpassword => 'N0t!this' }),
    409, $second, 'nothing else is changed with it');
is(scalar(events('password_changed')), 0, 'the device was not told');
is(kept($m)->{AMT_PASSWORD}, 'P@ssw0rd', 'nor Vault');
is(scalar unsettled($m), 1, 'nor is it pending');
$sim->misbehave(1, 'at:SetAdminAclEntryEx,fault=1*1');
is(mps({ mpspassword => 'First!2345', amtpassword => 'N0t!this' })->{status},
    400, 'the device refuses the other one');
$sim->misbehave(1, 'off');
is(pending(), 'First!2345', 'what was staged before stays');
ok(login('First!2345'), 'the device has it');
is(kept($m)->{MPS_PASSWORD}, 'First!2345', 'and it is the current one');
is(pending(), undef, 'none is staged');
is_answer(mps({ mpspassword => 'Second!2345' }), 200, $staged, 'the next');

is_answer(mps({ withdraw => ['mpspassword'] }), 200,
    qq({"guid":"$m","mpspassword":"withdrawn"}), 'withdrawn');
is(pending(), undef, 'none is staged');
is_answer(mps({ withdraw => ['mpspassword'] }), 200, qq({"guid":"$m"}),
    'there is none to withdraw');
is(mps({ mpspassword => 'Wrong!2345' })->{status}, 200, 'a mistake');
is_answer(mps({ withdraw => ['mpspassword'], mpspassword => 'Third!2345' }),
    200, $staged, 'replaced on purpose');
is(pending(), 'Third!2345', 'by the other one');
ok(login('Third!2345'), 'it is let in');
is(kept($m)->{MPS_PASSWORD}, 'Third!2345', 'and current');
is_answer(mps({ mpspassword => 'Fourth!2345' }), 200, $staged, 'one more');
$sim->set(1, 'mps-password', 'Second!2345');
$sim->mark;
$sim->drop(1);
ok($sim->wait_event('refused', guid => $m), 'what was withdrawn is refused');

# a device that is not connected
{
    my $away = AMT::Api::devices($t,
        guid => 'd0000000-0000-4000-8000-000000000001');
    my $g = $away->guid(0);
    $away->disconnect(0);
    ok($t->wait_for(sub { works($g) == 404 }), 'not connected');
    is(rotate({ mpspassword => 'First!2345' }, guid => $g)->{status}, 200,
        'staged');
    is_answer(rotate({ mpspassword => 'Third!2345' }, guid => $g), 409,
        $second, 'staged is staged');
    is(rotate({ withdraw => ['mpspassword'] }, guid => $g)->{status}, 200,
        'withdrawn');
    is(scalar unsettled($g), 0, 'none is staged');
    $away->stop;
}

for my $c (['amtpassword'], [1], ['mpspassword', 'x'], 'mpspassword') {
    my $r = mps({ withdraw => $c });
    is($r->{status}, 400, 'withdraw ' . (ref $c ? "@$c" : $c))
        or diag $r->{body};
}
like($t->read_file('logs/audit.log'), qr/"secrets\.rotate","guid":"$m",
    "detail":\{"fields":\["mpspassword"\],"withdraw":\["mpspassword"\]\}/x,
    'audit line');

# four at once: one is staged, the others are told so; how often each status
sub at_once {
    my %status;
    my @pids = map {
        my $n = $_;
        my $pid = fork // die;
        if (!$pid) {
            delete $t->{ua};
            my $r = rotate({ mpspassword => "Tw0!once-$n" }, guid => $guid);
            POSIX::_exit($r->{status} == 200 ? 0 : $r->{status} == 409 ? 1 : 2);
        }
        $pid;
    } 1 .. 4;
    for my $pid (@pids) {
        waitpid $pid, 0;
        $status{(200, 409, 'other')[$? >> 8] // 'died'}++;
    }
    return \%status;
}

is_deeply(at_once(), { 409 => 4 }, 'one is staged already');
is(rotate({ withdraw => ['mpspassword'] })->{status}, 200, 'withdrawn');
is_deeply(at_once(), { 200 => 1, 409 => 3 }, 'one of four at once');

# a login was refused, so it is not 0
isnt($sim->stop, 3, 'the gateway kept to the protocol') or diag $sim->log;

AMT::Test::done();
