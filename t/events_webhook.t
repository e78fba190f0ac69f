#!/usr/bin/perl

# Events by webhook: signatures, retries, what each answer means, and that
# nothing is lost when servers or workers go away.

use strict;
use warnings;
use lib 't/lib';
use AMT::Api;
use AMT::Dns;
use AMT::Stub;
use AMT::Test;
use Digest::SHA qw(hmac_sha256_base64);
use JSON::PP;
use MIME::Base64;
use Test::More;
use Time::HiRes qw(sleep time);

my $key = $AMT::Api::key{admin};
my $raw = 'a secret of its own, 0123456789';
my $n = 0;

# A request that leaves one event with a GUID of its own
sub unknown {
    my ($t, %o) = @_;
    my $guid = sprintf 'dead0000-0000-4000-8000-%012x', ++$n;

    $t->get("/api/v1/amt/power/state/$guid", key => $key, %o);

    return $guid;
}

sub config {
    my ($hooks, %o) = @_;

    $hooks = join '', map { "amt_webhook $_;\n" } ref $hooks ? @$hooks : $hooks;

    return (main => $AMT::Api::main, stream => AMT::Api::stream(%o),
        http => AMT::Api::http(%o, http => $hooks . ($o{more} // ''),
            extra => 'location = /status { amt_status; }
                location = /text { amt_status text; }'));
}

my $t = AMT::Api::prepare();
my $vault = AMT::Vault->new($t->port('vault'));
my $stub;
my $url = 'http://127.0.0.1:%%PORT:hook%%';

sub server { $stub = AMT::Stub->new($t->port('hook')) }

sub status { $t->get('/status')->{json}{webhooks}[$_[0] || 0] || {} }

# All attempts: { path, head => {}, body, json, status of the answer }
sub deliveries {
    return map {
        my (undef, $path, $body, $head, $status) = @$_;
        { path => $path, body => $body, status => $status,
            json => scalar eval { JSON::PP->new->utf8->decode($body) },
            head => { map { /^([^:]+): *(.*?)\r?$/ ? (lc $1, $2) : () }
                split /\n/, $head } };
    } $stub->requests;
}

# Events that were taken
sub delivered {
    return map { @{$_->{json}{events}} } grep { $_->{status} =~ /^2/ }
        deliveries();
}

sub wait_delivered {
    my ($code, $seconds) = @_;

    return $t->wait_for(sub { grep { $code->() } delivered() },
        $seconds || 10);
}

# All of these, the first time each in this order
sub ordered {
    my ($want, $name, $seconds) = @_;
    my %want = map { $_ => 1 } @$want;

    $t->wait_for(sub {
        my %seen = map { $_->{guid} || '' => 1 } delivered();
        !grep { !$seen{$_} } @$want;
    }, $seconds || 15);
    my %seen;
    my @got = grep { $want{$_} && !$seen{$_}++ }
        map { $_->{guid} || () } delivered();
    is_deeply(\@got, $want, $name);
}

sub settled {
    my ($i) = @_;
    return $t->wait_for(sub { (status($i)->{queued} // 1) == 0 }, 10);
}


# ---- wrong configurations ----

$t->write_file('open', "$raw\n", 0644);
$t->write_file('empty', "\n", 0600);
$t->write_file('short', "tooshort\n", 0600);
$t->write_file('bad64', "whsec_!!!!\n", 0600);

for my $c (
    ['ftp://127.0.0.1/', qr/starts with "http:\/\/" or "https:\/\/"/],
    ['http://u:p@127.0.0.1/', qr/has a user in its URL/],
    ['http://127.0.0.1:0/', qr/invalid port/],
    ['http://127.0.0.1/ secret=%%DIR%%/none', qr/open\(\) failed/],
    ['http://127.0.0.1/ secret=%%DIR%%/open', qr/too open/],
    ['http://127.0.0.1/ secret=%%DIR%%/empty', qr/it is empty/],
    ['http://127.0.0.1/ secret=%%DIR%%/short', qr/shorter than 16/],
    ['http://127.0.0.1/ secret=%%DIR%%/bad64', qr/no base64/],
    ['http://127.0.0.1/ events=a*b', qr/not at the end/],
    ['http://127.0.0.1/ events=a,,b', qr/empty name/],
    ['http://127.0.0.1/ events=a:b', qr/"request", "success" or "fail"/],
    ['http://127.0.0.1/ batch=0', qr/not between 1 and/],
    ['http://127.0.0.1/ timeout=1h', qr/not between 100ms and/],
    ['http://127.0.0.1/ retry=0', qr/not between 10ms and/],
    ['http://127.0.0.1/ expire=1y', qr/not between 1s and/],
    ['http://127.0.0.1/ ca=%%DIR%%/root.crt', qr/needs "https:\/\/"/],
    ['https://127.0.0.1/ ca=%%DIR%%/none', qr/cannot be read/],
    ['http://127.0.0.1/ colour=red', qr/invalid parameter "colour=red"/],
    ['http://127.0.0.1/; amt_webhook http://127.0.0.1/', qr/another one has/],
    [join('; amt_webhook ', map { "http://127.0.0.1/$_" } 0 .. 16),
        qr/more than 16/],
    ['http://127.0.0.1/; amt_events_zone 64k', qr/needs at least/],
) {
    my ($ok, $text) = $t->check(config($c->[0]));
    ok(!$ok, 'refused: ' . substr $c->[0], 0, 60);
    like($text, $c->[1], 'with the reason');
}


# the example that is installed, with names that can be resolved here

mkdir "$t->{dir}/amt";
$t->write_file('amt/mqtt.password', "secret\n", 0600);
$t->write_file('amt/webhook.secret', "$raw\n", 0600);
(my $example = $t->read_file("$t->{root}/conf/amt/events.conf"))
    =~ s/[a-z]+\.example\.com/localhost/g;
{
    my %c = config([]);
    $c{http} = "$example\n$c{http}";
    my ($ok, $text) = $t->check(%c);
    ok($ok, 'conf/amt/events.conf') or diag $text;
}


# ---- what arrives ----

server();
$stub->answer($_, 204) for qw(/all /cira /tenant /two);
$t->write_file('raw', "$raw\n", 0600);
my @keys = map { pack 'H*', $_ x 32 } qw(a1 b2);
$t->write_file('two', join('', map { 'whsec_' . encode_base64($_, '') . "\n" }
    @keys), 0600);
$t->start(config(["$url/all secret=%%DIR%%/raw retry=50ms",
    "$url/cira events=CIRA_*:success retry=50ms",
    "$url/tenant tenant=T events=*", "$url/two secret=%%DIR%%/two"]));

my $sim = AMT::Api::devices($t, count => 1);
my $guid = $sim->guid(0);
ok(wait_delivered(sub { $_->{methods}[0] eq 'CIRA_Connected' }), 'connected');
my $r = $t->get("/api/v1/amt/generalSettings/$guid", key => $key);
my $foreign = unknown($t, key => $AMT::Api::key{tenant});
my $gone = unknown($t);
ok(wait_delivered(sub { ($_->{guid} // '') eq $gone }), 'a failure');
settled($_) for 0 .. 3;

my %of;
push @{$of{$_->{path}}}, $_ for deliveries();
my ($d) = @{$of{'/all'}};
like($d->{head}{'webhook-id'}, qr/^msg_[0-9a-f]{16}_\d+_\d+$/, 'an id');
is($d->{json}{id}, $d->{head}{'webhook-id'}, 'in the body, too');
cmp_ok(abs($d->{head}{'webhook-timestamp'} - time), '<', 60, 'a timestamp');
is($d->{head}{'content-type'}, 'application/json', 'a content type');

# as a receiver verifies it
sub signature {
    my ($d, $secret) = @_;
    my $mac = hmac_sha256_base64(join('.', $d->{head}{'webhook-id'},
        $d->{head}{'webhook-timestamp'}, $d->{body}), $secret);
    return 'v1,' . $mac . '=' x (-length($mac) % 4);
}

is($_->{head}{'webhook-signature'}, signature($_, $raw), 'signature')
    for @{$of{'/all'}};
is($_->{head}{'webhook-signature'}, join(' ', map { my $k = $_;
    signature($of{'/two'}[0], $k) } @keys), 'signatures of two secrets')
    for $of{'/two'}[0];
ok(!exists $of{'/cira'}[0]{head}{'webhook-signature'}, 'none without secret');

my @all = map { @{$_->{json}{events}} } @{$of{'/all'}};
my ($e) = grep { $_->{methods}[0] eq 'CIRA_Connected' } @all;
is_deeply([sort keys %$e],
    [qw(guid id message methods tenant timestamp type)], 'members');
is($e->{guid}, $guid, 'guid');
is($e->{tenant}, '', 'tenant');
is($e->{message}, 'CIRA Connection Established', 'message');
my %ids;
ok(!(grep { $ids{$_->{id}}++ } @all), 'each event has an id of its own');
ok(!(grep { $ids{$_->{head}{'webhook-id'}}++ > 3 } deliveries()),
    'each delivery, too');
is_deeply([map { $_->{methods}[0] } map { @{$_->{json}{events}} }
    @{$of{'/cira'}}], ['CIRA_Connected'], 'only what was asked for');
is_deeply([map { $_->{guid} } map { @{$_->{json}{events}} }
    @{$of{'/tenant'}}], [$foreign], 'only of this tenant');
is_deeply([grep { $_->{methods}[0] eq 'CIRA_Connection' }
    map { @{$_->{json}{events}} } @{$of{'/cira'}}], [], 'types are told apart');

my $s = status(0);
is($s->{delivered}, scalar @all, 'delivered events are counted');
is($s->{to}, 'http://127.0.0.1:' . $t->port('hook'), 'no path in the status');
like($t->get('/text')->{body}, qr/^webhook http:\S+ queued=0 delivered=\d+/m,
    'the status as text');
unlike($t->log . $t->get('/status')->{body}, qr/\Q$raw\E/, 'no secret');
$sim->stop;
ok(wait_delivered(sub { $_->{methods}[0] eq 'CIRA_Disconnected' }),
    'disconnected');
$t->stop;


# ---- answers ----

sub fresh {
    my ($hook, %o) = @_;
    $t->stop if $t->master;
    $stub->stop if $stub;
    server();
    $stub->answer('/h', $o{status} || 200);
    $t->start(config($hook, %o));
}

my $slow = AMT::Test::slow();
fresh("$url/h retry=50ms timeout=${slow}s");
$stub->answer('/h', 500);
my @want = map { unknown($t) } 1 .. 3;
$t->wait_for(sub { deliveries() >= 3 });
$stub->answer('/h', 200, 'thanks');
ordered(\@want, 'after a 500 it is tried again');
ok($t->log_wait(qr/answered 500, \d+ events are kept/), 'logged');
my @d = deliveries();
is($d[0]{head}{'webhook-id'}, $d[1]{head}{'webhook-id'},
    'an attempt has the id of the one before');
is($d[0]{body}, $d[1]{body}, 'and its body');
ok($t->log_wait(qr/takes events again/), 'that it works again is logged');
settled();
is(status()->{delivered}, 3, 'delivered once each');
cmp_ok(status()->{failures}, '>=', 2, 'failures are counted');

$stub->raw('/h', "HTTP/1.1 429 X\r\nRetry-After: 2\r\n"
    . "Content-Length: 0\r\n\r\n");
my $before = deliveries();
@want = (unknown($t));
$t->wait_for(sub { deliveries() > $before });
my $first = time;
$stub->answer('/h', 200);
ordered(\@want, 'after a 429, too');
cmp_ok(time - $first, '>', 1.5, 'not before Retry-After');

$stub->answer('/h', 200, 'x' x 100_000);
$before = deliveries();
@want = (unknown($t));
settled();
sleep 0.5;
is(deliveries() - $before, 1, 'a huge answer is an answer');

$stub->raw('/h', "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx");
$before = deliveries();
unknown($t);
settled();
sleep 0.5;
is(deliveries() - $before, 1, 'one that is cut off, too');

$stub->drop('/h');
@want = (unknown($t));
ok($t->log_wait(qr/did not answer, 1 events are kept: Server returned nothing/),
    'no answer');
$stub->answer('/h', 200, '', delay => 1.5 * $slow);
ok($t->log_wait(qr/did not answer, 1 events are kept: Timeout/, 10), 'slow');
$stub->answer('/h', 200);
ordered(\@want, 'is tried again');
settled();

$stub->answer('/elsewhere', 200);
$stub->raw('/h', "HTTP/1.1 302 X\r\nLocation: /elsewhere\r\n"
    . "Content-Length: 0\r\n\r\n");
$before = deliveries();
unknown($t);
ok($t->log_wait(qr/refused 1 events with status 302 again, they are given up/,
    15), 'a redirect is refused after some attempts');
is(deliveries() - $before, 5, 'five attempts');
ok(!(grep { $_->{path} eq '/elsewhere' } deliveries()), 'never followed');
is(status()->{refused}, 1, 'counted');
settled();
$stub->answer('/h', 403);
$before = deliveries();
unknown($t);
ok($t->log_wait(qr/refused 1 events with status 403 again/, 15), 'a 403');
is(deliveries() - $before, 5, 'five attempts');
$stub->answer('/h', 200);
@want = map { unknown($t) } 1 .. 2;
ordered(\@want, 'what comes next is delivered');

$stub->answer('/h', 410);
$before = deliveries();
unknown($t);
ok($t->log_wait(qr/is gone \(410\)/), 'gone');
$stub->answer('/h', 200);
unknown($t) for 1 .. 3;
sleep 1;
is(deliveries() - $before, 1, 'nothing is sent any more');
ok(status()->{gone}, 'which the status shows');
$t->reload;
@want = map { unknown($t) } 1 .. 2;
ordered(\@want, 'a reload begins anew');
$t->stop;


# ---- outages ----

fresh("$url/h retry=50ms batch=7");
$stub->stop;
@want = map { unknown($t) } 1 .. 30;
ok($t->log_wait(qr/did not answer, \d+ events are kept: Could(?:n.t| not) connect/),
    'a server that is down');
ok($t->kill_worker, 'a worker is killed');
push @want, map { unknown($t) } 1 .. 10;
ok($t->reload, 'reload');
push @want, map { unknown($t) } 1 .. 10;
is(status()->{queued}, 50, 'nothing is lost');
server();
$stub->answer('/h', 200);
ordered(\@want, 'all arrive in order', 20);
cmp_ok(scalar(@{$_->{json}{events}}), '<=', 7, 'in batches')
    for (deliveries())[0];
settled();
is(status()->{delivered}, 50, 'once each');

# killed with a delivery on its way
$stub->answer('/h', 200, '', delay => 1);
$before = deliveries();
@want = (unknown($t));
$t->wait_for(sub { deliveries() > $before });
$t->kill_worker;
$stub->answer('/h', 200);
$t->wait_for(sub { deliveries() >= $before + 2 }, 15);
@d = deliveries();
is($d[-1]{head}{'webhook-id'}, $d[$before]{head}{'webhook-id'},
    'what a killed worker was sending comes again, with its id');
ok(settled(), 'and is done');

# an exiting worker delivers what it has
@want = map { unknown($t) } 1 .. 5;
ok($t->stop('QUIT'), 'stops');
ordered(\@want, 'what was published last is delivered before the exit');


# ---- a queue that is too small, and events that are too old ----

fresh("$url/h retry=50ms", more => 'amt_events_zone 128k;');
$stub->stop;
@want = map { unknown($t) } 1 .. 400;
$s = status();
cmp_ok($s->{queued}, '<', 400, 'the queue is bounded');
cmp_ok($s->{queued}, '>', 100, 'but not that small');
is($s->{queued} + $s->{dropped}, 400, 'what is too much is counted');
server();
$stub->answer('/h', 200);
ordered([@want[$s->{dropped} .. 399]], 'the newest arrive', 20);

fresh("$url/h retry=50ms expire=1s", status => 503);
unknown($t) for 1 .. 3;
$t->wait_for(sub { status()->{dropped} == 3 }, 10);
is(status()->{dropped}, 3, 'old events expire');

# one that expires before another one that is tried together with it
fresh("$url/h retry=50ms expire=3s");
$stub->answer('/h', 200, '', delay => 2.5);
unknown($t);
sleep 0.5;
$stub->answer('/h', 503);
unknown($t);
sleep 1.5;
unknown($t);
$t->wait_for(sub { !status()->{queued} }, 15);
$s = status();
is($s->{delivered} + $s->{dropped}, 3, 'each is counted once')
    or diag explain $s;
$stub->answer('/h', 200);
@want = (unknown($t));
ordered(\@want, 'new ones arrive');


# ---- several workers ----

$t->stop;
$t->{workers} = 3;
fresh(["$url/h retry=50ms", "$url/i retry=50ms batch=1"]);
$stub->answer('/i', 200);
delete $t->{ua};
@want = map { delete $t->{ua}; unknown($t) } 1 .. 60;
for my $path ('/h', '/i') {
    my %seen;
    $t->wait_for(sub {
        %seen = map { $_->{guid} => 1 } map { @{$_->{json}{events}} }
            grep { $_->{path} eq $path } deliveries();
        !grep { !$seen{$_} } @want;
    }, 15);
    is(scalar(grep { $seen{$_} } @want), 60, "all workers' events: $path");
}
settled(0);
settled(1);
is(status($_)->{delivered}, 60, 'none twice') for 0, 1;
$t->stop;
$t->{workers} = 1;


# ---- TLS ----

my $tls = 'server { listen 127.0.0.1:%%PORT:tls%% ssl;
    ssl_certificate %%DIR%%/web.crt; ssl_certificate_key %%DIR%%/web.key;
    location / { proxy_pass http://127.0.0.1:%%PORT:hook%%; } }';

my $https = 'https://localhost:%%PORT:tls%%/h/PATHSECRET';
fresh("$https ca=%%DIR%%/root.crt retry=50ms", more => $tls);
$stub->answer('/h/PATHSECRET', 200);
@want = map { unknown($t) } 1 .. 3;
ordered(\@want, 'https');
unlike($t->log, qr/amt_webhook.*PATHSECRET/, 'a path is no business of a log');

fresh("$https retry=50ms", more => $tls);
$stub->answer('/h/PATHSECRET', 200);
unknown($t);
ok($t->log_wait(qr/did not answer.*(?:certificate|SSL)/), 'an unknown CA');
is(scalar(deliveries()), 0, 'nothing was sent');
unlike($t->log, qr/amt_webhook.*PATHSECRET/, 'the path is not logged');

my $other = $https;
$other =~ s/localhost/127.0.0.2/;
(my $tls2 = $tls) =~ s/listen 127.0.0.1/listen 127.0.0.2/;
fresh("$other ca=%%DIR%%/root.crt retry=50ms", more => $tls2);
$stub->answer('/h/PATHSECRET', 200);
unknown($t);
ok($t->log_wait(qr/did not answer.*(?:certificate|SSL)/), 'another name');
is(scalar(deliveries()), 0, 'nothing was sent there, either');
$t->stop;


# ---- a server that does not even accept ----

my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
    LocalPort => $t->port('full'), Proto => 'tcp') or die "listen: $!";
my @full = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', Blocking => 0,
    PeerPort => $t->port('full'), Proto => 'tcp') } 1 .. 8;
fresh('http://127.0.0.1:%%PORT:full%%/ timeout=300ms retry=50ms');
unknown($t);
ok($t->wait_for(sub { status()->{failures} >= 4 }, 10),
    'connections that are never made time out');
is($t->get('/api/v1/version', key => $key)->{status}, 200, 'nginx serves on');
$t->stop;
close $_ for $full, @full;


# ---- names that move ----

my $moved = 'resolver 127.0.0.1:%%PORT:dns%% ipv6=off valid=1s;
    resolver_timeout 2s; server { listen 127.0.0.3:%%PORT:moved%%;
    location / { proxy_pass http://127.0.0.1:%%PORT:hook%%; } }';
my $dns = AMT::Dns->new($t->port('dns'), '127.0.0.3');
fresh('http://localhost:%%PORT:moved%%/h retry=50ms', more => $moved);
@want = map { unknown($t) } 1 .. 3;
ordered(\@want, 'the resolver is asked where the receiver is');
settled();
$dns->stop;
sleep 2.2;
$dns = AMT::Dns->new($t->port('dns'), undef);
@want = map { unknown($t) } 1 .. 3;
ordered(\@want, 'the last address is used when it does not know');
like($t->log, qr/amt_webhook: "http:\S+" could not be resolved: Host not found/,
    'and that is logged');
settled();
unlike($t->log, qr/amt_webhook: .* did not answer/, 'nothing went elsewhere');
$t->stop;

AMT::Test::done();
