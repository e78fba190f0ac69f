#!/usr/bin/perl

# Events by MQTT: what is published and how it reaches a real broker.

use strict;
use warnings;
use lib 't/lib';
use AMT::Api;
use AMT::Dns;
use AMT::Mqtt;
use AMT::Test;
use JSON::PP;
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;
use Time::HiRes qw(sleep time);

$ENV{PATH} .= ':/usr/sbin:/usr/local/sbin';

plan skip_all => 'no mosquitto'
    if system('command -v mosquitto mosquitto_sub >/dev/null 2>&1');

my $key = $AMT::Api::key{admin};
my $n = 0;

# A request that leaves one event with a GUID of its own
sub unknown {
    my ($t) = @_;
    my $guid = sprintf 'dead0000-0000-4000-8000-%012x', ++$n;

    $t->get("/api/v1/amt/power/state/$guid", key => $key);

    return $guid;
}

# What the device plane tells: this many alerts in one batch
my $seq = 1000;

sub alerts {
    my ($t, $count, $reason) = @_;
    my $body = encode_json({ worker => '1', events => [ map { {
        seq => ++$seq, type => 'alert', generation => 1, tenant => '',
        guid => 'dead0000-0000-4000-8000-000000000000', address => '::1',
        time => int(time * 1000), reason => $reason } } 1 .. $count ] });
    my $s = $t->socket("unix:$t->{dir}/amt.sock");

    return $t->exchange($s, "POST /_cira/notify HTTP/1.0\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body", 10);
}

sub config {
    my ($mqtt, %o) = @_;

    return (main => $AMT::Api::main, stream => AMT::Api::stream(%o),
        http => AMT::Api::http(%o, http => "amt_mqtt $mqtt;",
            extra => 'location = /status { amt_status; }'));
}

sub status { my ($t) = @_; $t->get('/status')->{json}{mqtt} || {} }

sub connected {
    my ($t) = @_;
    return $t->wait_for(sub { status($t)->{connected} }, 10);
}

my $t = AMT::Api::prepare();
my $vault = AMT::Vault->new($t->port('vault'));
my $broker = AMT::Mqtt->new($t, port => $t->port('mqtt'));


# ---- wrong configurations ----

for my $c (
    ['http://127.0.0.1', qr/starts with "mqtt:\/\/"/],
    ['mqtt://', qr/starts with "mqtt:\/\/"/],
    ['mqtt://u:secret@127.0.0.1', qr/has a user in its URL/],
    ['mqtt://127.0.0.1:99999', qr/invalid port/],
    ['mqtt://127.0.0.1/a+b', qr/in its prefix/],
    ['mqtt://127.0.0.1 qos=2', qr/invalid parameter "qos=2"/],
    ['mqtt://127.0.0.1 queue=1', qr/not between 100 and/],
    ['mqtt://127.0.0.1 ca=x', qr/need "mqtts:\/\/"/],
    ['mqtt://127.0.0.1 password=x', qr/without "user="/],
    ['mqtt://127.0.0.1 user=u password=%%DIR%%/none', qr/open\(\) failed/],
    ['mqtt://127.0.0.1 user=u password=%%DIR%%/open', qr/too open/],
    ['mqtt://127.0.0.1 user=u password=%%DIR%%/empty', qr/it is empty/],
    ['mqtts://127.0.0.1 ca=%%DIR%%/none', qr/loading .*none" failed/],
    ['mqtts://127.0.0.1 certificate=%%DIR%%/web.crt', qr/needs both/],
    ["mqtt://127.0.0.1; amt_mqtt mqtt://127.0.0.1", qr/is duplicate/],
) {
    $t->write_file('open', "secret\n", 0644);
    $t->write_file('empty', "\n", 0600);
    my ($ok, $text) = $t->check(config($c->[0]));
    ok(!$ok, "refused: $c->[0]");
    like($text, $c->[1], 'with the reason');
}


# ---- what is published ----

$broker->start;
$broker->subscribe('mps/events');
$t->start(config('mqtt://127.0.0.1:%%PORT:mqtt%%'));
ok(connected($t), 'connected');
like($broker->log, qr/as amt-\d+-[0-9a-f]{8} \(p2, c1, k60\)/,
    'with a name of its own');

my $sim = AMT::Api::devices($t, count => 1);
my $guid = $sim->guid(0);
my $e = $broker->wait_event(sub { $_->{methods}[0] eq 'CIRA_Connected' });

is($e->{message}, 'CIRA Connection Established', 'connected: message');
is($e->{type}, 'success', 'connected: type');
is($e->{guid}, $guid, 'connected: guid');
ok(abs($e->{timestamp} - time * 1000) < 60000, 'connected: ms since 1970');
ok($broker->wait_event(sub { $_->{methods}[0] eq 'Device_Created' }),
    'device created');

my $r = $t->get("/api/v1/amt/power/state/$guid", key => $key);
is($r->{status}, 200, 'power state');
$e = $broker->wait_event(sub { $_->{methods}[0] eq 'AMT_PowerState' });
is($e->{type}, 'request', 'power state: request');
is($e->{message}, 'Power State requested', 'power state: message');
is($e->{guid}, $guid, 'power state: guid');
like((grep { /AMT_PowerState/ } $broker->lines)[0],
    qr/^\{"type":"request","message":"Power State requested","methods":\["AMT_PowerState"\],"guid":"$guid","timestamp":\d{13}\}$/,
    'as the contract writes it');

$r = $t->get("/api/v1/amt/version/$guid", key => $key);
$e = $broker->wait_event(sub { $_->{methods}[0] eq 'AMT_Version' });
is($e->{message}, 'Power State requested', 'version says power state');

$r = $t->get("/api/v1/amt/generalSettings/$guid", key => $key);
for my $type (qw(request success)) {
    $e = $broker->wait_event(sub { $_->{methods}[0] eq 'AMT_GeneralSettings'
        && $_->{type} eq $type });
    like($e->{message}, $type eq 'request' ? qr/^General Settings requested$/
        : qr/^General Settings received$/, "general settings: $type");
}

$r = $t->post("/api/v1/amt/power/action/$guid", key => $key,
    json => { action => 10 });
is($r->{status}, 200, 'power action');
$e = $broker->wait_event(sub { $_->{methods}[0] eq 'AMT_PowerAction' });
is($e->{message}, 'Power Action requested', 'power action: message');
ok(!exists $e->{guid}, 'power action: no guid');

my $gone = unknown($t);
$e = $broker->wait_event(sub { ($_->{guid} || '') eq $gone });
is($e->{methods}[0], 'CIRA_Connection', 'not connected: name');
is($e->{type}, 'fail', 'not connected: type');
is($e->{message}, 'Device Not Found', 'not connected: message');

my $before = $broker->events;
$t->post("/api/v1/amt/power/action/$guid", key => $key,
    json => { action => 'x' });
$t->get("/api/v1/amt/power/state/$guid");
$t->get("/api/v1/amt/power/state/$guid", key => $AMT::Api::key{other});
$gone = unknown($t);
$broker->wait_event(sub { ($_->{guid} || '') eq $gone });
is(scalar($broker->events) - $before, 1,
    'neither invalid nor unauthorized nor foreign calls are told');

$t->delete("/api/v1/devices/$guid", key => $key);
$sim->stop;
$e = $broker->wait_event(sub { $_->{methods}[0] eq 'CIRA_Disconnected' });
like($e->{message}, qr/^CIRA Connection Closed: ./, 'disconnected with reason');
ok($broker->wait_event(sub { $_->{methods}[0] eq 'Device_Deleted' }),
    'device deleted');


like(alerts($t, 1, "<b>\xc3\xa9\x{1}\"\x{fffd}"), qr/ 204 /, 'an alert');
$e = $broker->wait_event(sub { $_->{methods}[0] eq 'CIRA_Alert' });
is($e->{message}, "CIRA Alert: <b>\xc3\xa9\x{1}\"\x{fffd}",
    'hostile text stays text');


# ---- the broker goes and comes ----

sub ordered {
    my ($want, $name, $seconds) = @_;
    my %want = map { $_ => 1 } @$want;

    $t->wait_for(sub {
        my %seen = map { $_ => 1 } map { $_->{guid} || () } $broker->events;
        !grep { !$seen{$_} } @$want;
    }, $seconds || 15);
    my %seen;
    my @got = grep { $want{$_} && !$seen{$_}++ }
        map { $_->{guid} || () } $broker->events;
    is_deeply(\@got, $want, $name);
}

my $subs = $broker->subscribed;
$broker->stop;
ok($t->wait_for(sub { !status($t)->{connected} }), 'notices a lost broker');
my @kept = map { unknown($t) } 1 .. 20;
is(status($t)->{queued}, 20, 'events are kept');
ok($t->log_wait(qr/cannot connect to "mqtt:.*Connection refused/, 10),
    'and the reason is logged');
is(status($t)->{dropped}, 0, 'none is dropped');

# the subscriber has to be first, or the broker has nobody to give them to
kill 'STOP', $t->workers;
$broker->start;
$t->wait_for(sub { $broker->subscribed > $subs }, 30);
kill 'CONT', $t->workers;
ordered(\@kept, 'events of a broken connection arrive, in order', 30);
is(status($t)->{queued}, 0, 'and leave the queue');


# ---- reload and dying workers ----

my @all;
ok(connected($t), 'connected again');
push @all, unknown($t) for 1 .. 5;
$t->reload;
push @all, unknown($t) for 1 .. 5;
ordered(\@all, 'a reload loses nothing');
ok($t->wait_for(sub {
    my %ids = map { $_ => 1 }
        $broker->log =~ /New client connected from \S+ as (amt-\S+)/g;
    keys %ids >= 2;
}), 'the new worker has another name');

$t->kill_worker;
ok(connected($t), 'the worker after a killed one is connected');
@all = (unknown($t));
ordered(\@all, 'and publishes');

ok($t->stop('QUIT'), 'stops');
like($broker->log, qr/Received DISCONNECT from amt-/, 'says goodbye');


# ---- queue ----

$broker->stop;
$t->start(config('mqtt://127.0.0.1:%%PORT:mqtt%%/site/a/ qos=1 queue=100'));
@all = map { unknown($t) } 1 .. 130;
my $s = status($t);
is($s->{queued}, 100, 'the queue is bounded');
is($s->{dropped}, 30, 'what is too much is counted');
like($t->log, qr/queue is full, \d+ events were dropped/, 'and logged');
$broker->unsubscribe;
kill 'STOP', $t->workers;
$broker->start;
$broker->subscribe('site/a/events');
kill 'CONT', $t->workers;
splice @all, 0, 30;
ordered(\@all, 'the newest arrive, below another prefix, QoS 1', 30);
like($broker->log, qr/Received PUBLISH from amt-\S+ \(d0, q1, r0/, 'as QoS 1');
@all = map { unknown($t) } 1 .. 3;
$t->stop('QUIT');
ordered(\@all, 'a worker that exits sends what it has');
$broker->unsubscribe;
$broker->stop;


# ---- users ----

system('mosquitto_passwd', '-c', '-b', "$t->{dir}/users.mqtt", 'gateway',
    'Correct-Horse-7') == 0 or die 'mosquitto_passwd';
chmod 0644, "$t->{dir}/users.mqtt";
$broker->{config} = "allow_anonymous false\npassword_file %%DIR%%/users.mqtt\n";
$broker->start;
$t->write_file('mqtt.pass', "Wrong-Horse-1\n", 0600);
$t->start(config('mqtt://127.0.0.1:%%PORT:mqtt%% user=gateway '
    . 'password=%%DIR%%/mqtt.pass'));
ok($t->log_wait(qr/refused the connection: .*not auth/i, 10),
    'a wrong password is told apart');
sleep 1.1;
$t->write_file('mqtt.pass', "Correct-Horse-7\n", 0600);
ok($t->wait_for(sub { status($t)->{connected} }, 20),
    'the right one is read without a reload');
unlike($t->log, qr/(?:Wrong|Correct)-Horse/, 'no password in the log');
my ($pid) = $t->workers;
unlike($t->read_file("/proc/$pid/cmdline"), qr/Horse/, 'nor in the process');
unlike($t->get('/status')->{body}, qr/Horse/, 'nor in the status');
$t->stop;
$broker->stop;


# ---- TLS ----

$broker->{config} = "allow_anonymous true\ncertfile %%DIR%%/web.crt\n"
    . "keyfile %%DIR%%/web.key\n";
$broker->{host} = '127.0.0.2';
$broker->start;
$t->start(config('mqtts://127.0.0.2:%%PORT:mqtt%% ca=%%DIR%%/root.crt'));
ok($t->log_wait(qr/cannot connect to .*certificate verify failed/, 10),
    'a certificate of another name is refused');
ok(!status($t)->{connected}, 'and no connection made');
$t->stop;

$broker->stop;
$broker->{host} = '127.0.0.1';
$broker->start;
$t->start(config('mqtts://127.0.0.1:%%PORT:mqtt%%'));
ok($t->log_wait(qr/cannot connect to .*certificate verify failed/, 10),
    'a certificate of an unknown CA is refused');
$t->stop;

$t->start(config('mqtts://localhost:%%PORT:mqtt%% ca=%%DIR%%/root.crt'));
ok(connected($t), 'a good one is taken, by name');
$broker->subscribe('mps/events', '--cafile', "$t->{dir}/root.crt");
@all = map { unknown($t) } 1 .. 50;
ordered(\@all, 'events over TLS');
$t->stop;

$t->start(config('mqtts://127.0.0.1:%%PORT:mqtt%% ca=%%DIR%%/root.crt'));
ok(connected($t), 'and by address');
@all = (unknown($t));
ordered(\@all, 'events there, too');
$t->stop('QUIT');
$broker->unsubscribe;
$broker->stop;


# ---- a name that moves ----

my $dns = AMT::Dns->new($t->port('dns'), '127.0.0.3');
$broker->{host} = '127.0.0.3';
$broker->start;
my %c = config('mqtts://localhost:%%PORT:mqtt%% ca=%%DIR%%/root.crt');
$c{http} .= 'resolver 127.0.0.1:%%PORT:dns%% ipv6=off;';
$t->start(%c);
ok(connected($t), 'the resolver is asked where the broker is');
$t->stop('QUIT');
$dns->stop;
$dns = AMT::Dns->new($t->port('dns'), undef);
$t->start(%c);
ok($t->log_wait(qr/cannot connect to "mqtts:\S+": Host not found/),
    'a name that is not known');
$t->stop('QUIT');
$broker->stop;


# ---- brokers that do not play ----

sub ticks {
    my ($pid) = @_;
    my @f = split ' ', $t->read_file("/proc/$pid/stat");
    return $f[13] + $f[14];
}

# A new port each: connections that wait in a backlog are of the nginx before
sub peer {
    my ($name) = @_;
    return IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $t->port($name), Listen => 16, ReuseAddr => 1,
        Proto => 'tcp') || die "listen: $!";
}

my $listen = peer('silent');
$t->start(config('mqtts://127.0.0.1:%%PORT:silent%% ca=%%DIR%%/root.crt'));
my $c = $listen->accept;
($pid) = $t->workers;
my $ticks = ticks($pid);
sleep 1.5;
cmp_ok(ticks($pid) - $ticks, '<', 30 * AMT::Test::slow(), 'a silent peer costs nothing');
is($t->get('/api/v1/version', key => $key)->{status}, 200, 'nginx serves on');
close $c;
ok($t->log_wait(qr/cannot connect to "mqtts:/, 5), 'a peer that closes');
$c = $listen->accept;
syswrite $c, "HTTP/1.1 400 No\r\n\r\n";
ok($t->log_wait(qr/cannot connect to .*(?:wrong version|packet length|SSL)/i,
    10), 'a peer that speaks no TLS');
$t->stop;
close $c;

$listen = peer('slow');
setsockopt $listen, SOL_SOCKET, SO_RCVBUF, 2048;
$t->start(config('mqtt://127.0.0.1:%%PORT:slow%% queue=200'));
$c = $listen->accept;
sysread $c, my $buf, 4096;
syswrite $c, "\x20\x02\x00\x00";
ok(connected($t), 'connected to a broker that will not read');
my $loops = 0;
until (status($t)->{queued} >= 200 || $loops++ > 20) {
    alerts($t, 150, 'x' x 256) for 1 .. 10;
}
is(status($t)->{queued}, 200, 'the queue stays bounded');
unknown($t) for 1 .. 10;
cmp_ok(status($t)->{dropped}, '>', 0, 'and the rest is dropped');
($pid) = $t->workers;
$ticks = ticks($pid);
sleep 1;
cmp_ok(ticks($pid) - $ticks, '<', 30 * AMT::Test::slow(), 'a slow broker costs nothing');
syswrite $c, "\xf0\xff\xff\xff\xff\xff garbage";
ok($t->log_wait(qr/lost the connection to "mqtt:/, 5),
    'a broker that speaks nonsense is left');
my $started = time;
ok($t->stop('QUIT'), 'stops with a full queue');
cmp_ok(time - $started, '<', 5 * AMT::Test::slow(), 'soon');
like($t->log, qr/events were not sent before the exit/, 'and says so');

AMT::Test::done();
