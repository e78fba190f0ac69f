#!/usr/bin/perl
# REST: one power action on many devices - lines as devices are done, pace,
# tenants, audit, clients that leave or do not read.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use Socket;
use Time::HiRes qw(sleep time);

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(test => { workers => 1 },
    http => 'amt_timeout ' . (2 * $slow) . 's; amt_budget ' . (5 * $slow)
        . 's;',
    extra => 'location /two/ { amt_api /two; amt_bulk_parallel 2; }
        location /rate/ { amt_api /rate; amt_bulk_rate 20; }
        location /short/ { amt_api /short; amt_bulk_timeout 1500ms;
            amt_bulk_parallel 1; }');
my $n = 12;
my $sim = AMT::Api::devices($t, count => $n, power_delay => 1,
    latency => 20);
my @guid = map { $sim->guid($_) } 0 .. $n - 1;
my $api = '/api/v1/bulk/power';
my $gone = 'b0000000-0000-4000-8000-00000000000f';

sub bulk {
    my ($json, %o) = @_;
    my $prefix = delete $o{prefix} // '';
    $o{key} //= $key{power};
    return $t->post("$prefix$api", json => $json, %o);
}

sub lines { map { JSON::PP->new->utf8->decode($_) } split /\n/, $_[0]{body} }
sub summary { (lines($_[0]))[-1]{summary} }
sub audit {
    my @all = $t->read_file('logs/audit.log') =~ /^(.*"bulk.power".*)$/mg;
    return @all;
}
sub states { map { $sim->state($_)->{power} } 0 .. $n - 1 }

# a raw request, and its answer's lines as they come
sub start {
    my ($json, $prefix, %o) = @_;
    my $body = JSON::PP->new->encode($json);
    my $s = $t->socket('http');
    setsockopt $s, SOL_SOCKET, SO_RCVBUF, pack 'i', $o{rcvbuf} if $o{rcvbuf};
    syswrite $s, 'POST ' . ($prefix // '') . "$api HTTP/1.0\r\nHost: h\r\n"
        . "X-API-Key: $key{power}\r\nContent-Type: application/json\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n";
    for (my $at = 0; $at < length $body; ) {
        $at += syswrite $s, $body, 65536, $at;
    }
    return $s;
}

# ---- all devices ----

my $r = bulk({ action => 8, guids => [uc $guid[0], @guid, $gone, $guid[3]] });
is($r->{status}, 200, 'a list');
is($r->{headers}{'content-type'}, 'application/x-ndjson', 'its type');
is($r->{headers}{'access-control-allow-origin'}, '*', 'CORS');
my @lines = lines($r);
is(scalar @lines, $n + 2, 'a line for each device, once, and the summary');
my %line = map { $_->{guid} => $_ } grep { $_->{guid} } @lines;
is($line{$_}{ReturnValueStr}, 'SUCCESS', "$_: result") for @guid;
like($r->{body}, qr/^\{"guid":"$guid[5]","status":200,"ReturnValue":0,
    "ReturnValueStr":"SUCCESS","ms":\d+\}$/xm, 'a line');
like($r->{body}, qr/^\{"guid":"$gone","status":404,
    "error":"Device\ is\ not\ connected"\}$/xm, 'one that is not connected');
like($r->{body}, qr/\n\{"summary":\{"total":13,"succeeded":12,"failed":1,
    "skipped":0,"ms":\d+\}\}\n$/x, 'the summary');
ok($sim->wait_event('power', guid => $_, state => 8), "$_ is off") for @guid;

my @audit = audit();
is(scalar @audit, $n + 1, 'audit: the call, and each device');
like($audit[0], qr/"key:power".*"detail":\{"action":8,"bulk":"([^"]+)",
    "guids":15\}/x, 'audit line of the call');
my ($id) = $audit[0] =~ /"bulk":"([^"]+)"/;
is(scalar(grep { /"guid":"[^"]+".*"action":8,"bulk":"\Q$id\E"/ } @audit), $n,
    'lines of its devices');

# ---- by tags ----

for my $i (0 .. $n - 1) {
    $t->patch('/api/v1/devices', key => $key{admin}, json => {
        guid => $guid[$i], tags => [$i % 2 ? 'odd' : 'even',
            $i < 4 ? ('small') : ()] });
}
is_deeply(summary(bulk({ action => 2, tags => ['odd'] }))->{total}, 6,
    'one tag');
ok($sim->wait_event('power', guid => $guid[5], state => 2), 'odd is on');
is($sim->state(4)->{power}, 8, 'even is not');
is(summary(bulk({ action => 2, tags => ['odd', 'small'] }))->{total}, 8,
    'one tag or the other');
is(summary(bulk({ action => 2, tags => ['even', 'small'], method => 'AND' }))
    ->{total}, 2, 'both tags');
is(bulk({ action => 2, tags => ['none'] })->{body} =~ s/"ms":\d+/"ms":0/r,
    '{"summary":{"total":0,"succeeded":0,"failed":0,"skipped":0,"ms":0}}'
    . "\n", 'no such tag');
is(summary(bulk({ action => 2, guids => \@guid }))->{succeeded}, $n, 'all on');
sleep 0.1;

# boots are power actions, too
is(summary(bulk({ action => 400, guids => [$guid[0]] }))->{succeeded}, 1,
    'PXE boot');
ok($sim->state(0)->{last_boot}, 'it booted') or diag explain $sim->state(0);

# with details, on every device the same
$sim->mark;
is(summary(bulk({ action => 105, guids => [@guid[1 .. 3]], bootDetails => {
    url => 'https://10.1.1.1/boot.efi', username => 'u', password =>
    'bulk-secret' } }))->{succeeded}, 3, 'HTTPS boot');
for my $i (1 .. 3) {
    my $e = $sim->wait_event('boot', guid => $guid[$i]);
    is($e->{boot}{UefiBootNumberOfParams}, 4, "$i: with its credentials");
    ok(!$e->{boot}{UseSOL}, "$i: without SOL");
}
$sim->mark;
is(summary(bulk({ action => '101', guids => [$guid[1]], useSOL => 'true' }))
    ->{succeeded}, 1, 'BIOS with SOL');
my $e = $sim->wait_event('boot', guid => $guid[1]);
ok($e->{boot}{UseSOL} && $e->{boot}{BIOSSetup}, 'as it was told');
$r = bulk({ action => 107, guids => [$guid[1]],
    bootDetails => { bootPath => '\\none.efi' } });
is_deeply([@{(lines($r))[0]}{qw(status error)}],
    [404, 'Boot source not found'], 'a source that is not there');
unlike($t->log . $t->read_file('logs/audit.log'), qr/bulk-secret/,
    'no credentials in logs');
sleep 0.1;

# ---- who may ----

is(bulk({ action => 8, guids => [$guid[0]] }, key => $key{reader})->{status},
    403, 'scope');
is(bulk({ action => 8, guids => [$guid[0]] }, key => $key{none})->{status},
    401, 'no key');
my $before = audit();
$r = bulk({ action => 8, guids => \@guid }, key => $key{tenant});
is_deeply([map { $_->{status} } grep { $_->{guid} } lines($r)], [(404) x $n],
    'devices of another tenant are not there');
is(scalar(audit()) - $before, 1, 'nothing but the call is audited');
is(summary(bulk({ action => 8, tags => ['odd'] }, key => $key{tenant}))
    ->{total}, 0, 'nor by tags');
is_deeply([grep { $_ != 2 } states()], [], 'nothing happened');

# ---- invalid input ----

for my $c (
    [{}, 'action action guids'], [{ action => 8 }, 'guids'],
    [{ action => 9, guids => \@guid }, 'action'],
    [{ action => 104, guids => \@guid }, 'action'],
    [{ action => 105, guids => \@guid }, 'bootDetails.url'],
    [{ action => 105, guids => \@guid, bootDetails => { url =>
        'http://a.bc/x', password => 'x' x 17 } },
        'bootDetails.url bootDetails.password'],
    [{ action => 107, guids => \@guid }, 'bootDetails.bootPath'],
    [{ action => 400, guids => \@guid, useSOL => 'perhaps' }, 'useSOL'],
    [{ action => [8], guids => \@guid }, 'action action'],
    [{ action => 8, guids => [] }, 'guids'],
    [{ action => 8, guids => $guid[0] }, 'guids'],
    [{ action => 8, guids => [5] }, 'guids'],
    [{ action => 8, tags => [''] }, 'tags'],
    [{ action => 8, tags => 'a' }, 'tags'],
    [{ action => 8, tags => ['a'], method => 'XOR' }, 'method'],
    [{ action => 8, tags => ['a'], guids => \@guid }, 'guids'])
{
    $r = bulk($c->[0]);
    is($r->{status}, 400, "$c->[1] " . substr JSON::PP->new->canonical
        ->encode($c->[0]), 0, 50);
    is(join(' ', map { $_->{path} } @{$r->{json}{errors}}), $c->[1],
        'fields') or diag $r->{body};
}
$r = bulk({ action => 8, guids => [$guid[0], 'x'] });
is("$r->{status} $r->{json}{errorDescription}",
    '400 guids[1] is not a GUID', 'one is none');
my @many = map { sprintf 'd0000000-0000-4000-8000-%012x', $_ } 1 .. 10001;
$r = bulk({ action => 8, guids => \@many });
is("$r->{status} $r->{json}{errorDescription}", '400 More than 10000 GUIDs',
    'too many');
is(bulk({ action => 8, guids => [@many, @many] })->{status}, 413,
    'a body over the cap');
is(bulk({ action => 8, tags => [map { "t$_" } 1 .. 65] })->{status}, 400,
    'too many tags');
is_deeply([grep { $_ != 2 } states()], [], 'nothing happened');

# ---- 10 000 that are not there, by a client that reads late ----

pop @many;
my $rss = $t->rss(($t->workers)[0]);
my $s = start({ action => 8, guids => \@many }, '', rcvbuf => 32768);
sleep 0.5 * $slow;
is($t->get('/api/v1/version', key => $key{reader})->{status}, 200,
    'meanwhile others are served');
my $grown = $t->rss(($t->workers)[0]) - $rss;
my $text = $t->exchange($s, '', 20 * $slow);
my @all = $text =~ /^\{"guid".*"status":404/mg;
is(scalar @all, 10000, 'all lines came');
like($text, qr/"summary":\{"total":10000,"succeeded":0,"failed":10000,/,
    'and the summary');
cmp_ok($grown, '<', 3 * 1024 * 1024, 'memory while it waited: ' . $grown)
    if AMT::Test::variant() eq '';

# ---- lines come when a device is done ----

$sim->misbehave(2, 'no-answer');
$s = start({ action => 10, guids => [@guid[1 .. 3]] });
my $start = time;
$text = '';
while ($text !~ /"$guid[3]".*\n/ || $text !~ /"$guid[1]".*\n/) {
    last unless sysread $s, $text, 65536, length $text;
}
cmp_ok(time - $start, '<', 1.5 * $slow, 'two are done at once');
unlike($text, qr/$guid[2]/, 'the slow one is not');
$text .= $t->exchange($s, '', 20 * $slow);
like($text, qr/"guid":"$guid[2]","status":504,"error":"[^"]+"/, 'it is late');
like($text, qr/"succeeded":2,"failed":1,/, 'summary');
$sim->misbehave(2, 'off');

# ---- what goes wrong, by device ----

$sim->misbehave(0, 'fault');
$sim->misbehave(1, 'always-401');
$sim->misbehave(2, 'garbage-http');
$sim->misbehave(3, 'return=2');
$sim->misbehave(4, 'close-mid');
%line = map { $_->{guid} // '' => $_ } lines(bulk({ action => 10,
    guids => [@guid[0 .. 5]] }));
my @errors = (
    [500, 'Device refuses: AMT_BootSettingData: InternalError, INTERNAL_ERROR '
        . '(1)'],
    [500, 'Device refused the AMT password of the secret store: was it '
        . 'changed elsewhere?'],
    [500, 'Answer of the device is not understood'],
    undef,
    [504, 'Connection to the device was lost'],
);
for my $i (grep { $errors[$_] } 0 .. $#errors) {
    is_deeply([@{$line{$guid[$i]}}{qw(status error)}], $errors[$i],
        $errors[$i][1]);
}
is("$line{$guid[3]}{status} $line{$guid[3]}{ReturnValue}", '200 2',
    'a return value is told');
is($line{$guid[5]}{ReturnValue}, 0, 'the others are well');
is($line{''}{summary}{succeeded}, 1, 'one succeeded')
    or diag explain \%line;
$sim->misbehave($_, 'off') for 0 .. 4;
my $row = $vault->get("devices/$guid[5]");
for my $c (['sealed', 503, 'Secret store is sealed'],
    ['error', 503, 'Secret store did not answer'])
{
    $t->delete("/api/v1/devices/refresh/$guid[5]", key => $key{admin});
    $vault->mode($c->[0]);
    $r = bulk({ action => 10, guids => [$guid[5]] });
    $vault->mode('');
    is_deeply([@{(lines($r))[0]}{qw(status error)}], [@$c[1, 2]], $c->[0]);
}
$vault->put("devices/$guid[5]", { MPS_PASSWORD => 'P@ssw0rd' });
$t->delete("/api/v1/devices/refresh/$guid[5]", key => $key{admin});
$r = bulk({ action => 10, guids => [$guid[5]] });
is_deeply([@{(lines($r))[0]}{qw(status error)}],
    [500, 'Secret store has no AMT password of the device'], 'no password');
$vault->put("devices/$guid[5]", $row);

# ---- pace ----

# a power action is three answers of 20 ms each
$start = time;
is(summary(bulk({ action => 10, guids => \@guid }, prefix => '/two'))
    ->{succeeded}, $n, 'two at a time');
cmp_ok(time - $start, '>', $n / 2 * 3 * 0.02, 'take their time');
sleep 0.2;
bulk({ action => 10, guids => [@guid[0, 1, 2]] }, prefix => '/rate');
sleep 0.1;
$start = time;
is(summary(bulk({ action => 10, guids => \@guid }, prefix => '/rate'))
    ->{succeeded}, $n, 'twenty a second');
cmp_ok(time - $start, '>', ($n - 3) / 20, 'take their time, too');
$sim->misbehave('all', 'slow-drip=1');
my $sum = summary(bulk({ action => 10, guids => \@guid },
    prefix => '/short'));
$sim->misbehave('all', 'off');
cmp_ok($sum->{skipped}, '>', 0, 'at the end of its time the rest is skipped');
is($sum->{succeeded} + $sum->{failed} + $sum->{skipped}, $n, 'and counted');
sleep 0.1;

# two calls share the worker's devices
my ($a, $b) = map { start({ action => 10, guids => [@guid[$_ * 6 .. $_ * 6
    + 5]] }, '/two') } 0, 1;
like($t->exchange($a, '', 10 * $slow), qr/"succeeded":6,/, 'one call');
like($t->exchange($b, '', 10 * $slow), qr/"succeeded":6,/, 'and another');
close $_ for $a, $b;
sleep 0.1;

# ---- clients that leave ----

$before = audit();
$sim->mark;
$s = start({ action => 10, guids => \@guid }, '/two');
$text = '';
while ($text !~ /"guid"/) {
    last unless sysread $s, $text, 4096, length $text;
}
close $s;
sleep 0.3 * $slow;
my $started = audit() - $before - 1;
cmp_ok($started, '>', 0, "some were started: $started");
cmp_ok($started, '<', $n, 'no more when the client left');
sleep 0.3 * $slow;
is(audit() - $before - 1, $started, 'and none later');
like($t->log, qr/bulk call was cancelled: \d+ devices done/, 'logged');
is($t->get("/api/v1/amt/power/state/$guid[0]", key => $key{reader})
    ->{status}, 200, 'the devices are well');

for my $i (0 .. 25) {
    $s = start({ action => 10, $i % 2 ? (guids => \@guid)
        : (tags => ['odd', 'even']) });
    sleep 0.003 * $i * $slow;
    if ($i % 5 == 0) {
        setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    }
    close $s;
}
sleep 0.5 * $slow;
ok($t->wait_for(sub { summary(bulk({ action => 10, guids => \@guid }))
    ->{succeeded} == $n }), 'clients that left at any moment');

# ---- reload and the end of a worker ----

$s = start({ action => 10, guids => \@guid }, '/short');
sleep 0.1;
$t->reload;
$text = $t->exchange($s, '', 30 * $slow);
like($text, qr/"summary":\{"total":$n,"succeeded":\d+,/, 'through a reload');
close $s;

sleep 0.3;
is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

AMT::Test::done();
