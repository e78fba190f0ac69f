#!/usr/bin/perl

# Bytes of redirection sessions: large streams in both directions with equal
# digests, browsers that do not read, memory, many sessions at a time.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Redir;
use Digest::MD5 qw(md5_hex);
use Time::HiRes qw(sleep time);

my ($t, $vault) = AMT::Api::start(
    extra => 'location = /relay/webrelay.ashx { amt_relay; }
        location = /relay/binary { amt_relay; amt_relay_frames binary; }
        listen 127.0.0.1:%%PORT:https%% ssl;
        ssl_certificate %%DIR%%/web.crt;
        ssl_certificate_key %%DIR%%/web.key;');
my $key = $AMT::Api::key{admin};
my $slow = AMT::Test::slow();
my $many = $slow > 1 ? 40 : 200;
my ($worker) = $t->workers;

sub view {
    my ($guid, $kind, %o) = @_;
    my $path = AMT::Redir::path(guid => $guid, kind => $kind);

    $path =~ s/webrelay\.ashx/binary/ unless delete $o{text};
    my $v = AMT::Redir->open($t, guid => $guid, kind => $kind, key => $key,
        path => $path, %o);
    $v->{ws}{timeout} = 60 * $slow;
    return $v if $v->{ws}{status} == 101 && $v->login
        && ($kind eq 'ider' || $v->$kind);
    diag $v->{error};
    return;
}

my $sim = AMT::Api::devices($t, count => 16, ider_blocks => 51_200);

# ---- device to browser ----

for (['text', 'http'], ['binary', 'http'], ['text, TLS', 'https'],
    ['binary, TLS', 'https'])
{
    my ($name, $listen) = @$_;
    my $n = int(($name eq 'binary' ? 200 : 20) / $slow);
    my $v = view($sim->guid(0), 'kvm', text => scalar $name =~ /text/,
        listen => $listen, $listen eq 'https' ? (ssl => {}) : ());

    ok($v, "KVM, $name frames") or next;
    $v->pictures(4);
    my $digest = md5_hex($v->picture);
    my $same = 1;
    for (2 .. $n) {
        $v->pictures(1) if $_ <= $n - 3;
        $same++ if md5_hex($v->picture) eq $digest;
    }
    is($same, $n, "$n pictures of half a megabyte, all the same");
    $v->{ws}->close;
    $v->{ws}->wait_close;
    $t->wait_for(sub { !$t->get('/api/v1/devices/redirectstatus/'
        . $sim->guid(0), key => $key)->{json}{isKVMConnected} });
}

# ---- browser to device ----

{
    my $blocks = int(51_200 / $slow);
    my $image = join '', map { pack 'N', $_ * 2654435761 & 0xffffffff }
        1 .. 262_144;
    my $md5 = Digest::MD5->new;
    my $v = view($sim->guid(1), 'ider');

    ok($v, 'IDER');
    ok($v->ider($blocks, sub {
        my ($lba, $n) = @_;
        my $data = substr $image, $lba % 400 * 2048, $n * 2048;
        $md5->add($data);
        return $data;
    }), 'the device reads the CD');
    my $e = $sim->wait_event('ider', blocks => $blocks);
    is($e && $e->{md5}, $md5->hexdigest, "$blocks blocks, the same digest");
    $v->{ws}->close;
}

# ---- browsers that do not read ----

{
    my @v = map { view($sim->guid($_), 'kvm') } 0 .. 15;
    is(scalar(grep { $_ } @v), 16, '16 KVM sessions');

    my $before = $t->rss($worker);
    my $sent = $sim->stats->{bytes_out};
    $_->pictures(20) for @v;
    my $last = -1;
    my $down = sub { $sim->stats->{bytes_out} - $sent };
    $t->wait_for(sub { my $n = $down->(); my $still = $n == $last;
        $last = $n; sleep 0.3; $still }, 20);
    my $grown = ($t->rss($worker) - $before) / 16 / 1024;
    # sanitizers keep what was freed
    cmp_ok($grown, '<', AMT::Test::variant() ? 4096 : 512,
        sprintf 'memory per session: %d KB', $grown);
    # sockets on the way hold some megabytes
    cmp_ok($last, '<', 16 * 8_000_000, 'the devices stopped sending');

    my $digest = md5_hex($v[0]->picture);
    my $same = 1;
    for my $v (@v) {
        for (1 .. 20) {
            $same++ if ($v != $v[0] || $_ > 1)
                && md5_hex($v->picture) eq $digest;
        }
    }
    is($same, 320, 'nothing is missing when they read');
    $_->{ws}->close for @v;
}

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

# ---- many at a time ----

{
    $sim = AMT::Api::devices($t, count => $many,
        guid => 'b0000000-0000-4000-8000-000000000001');
    my @v = map { view($sim->guid($_), 'sol', text => 1) } 0 .. $many - 1;
    is(scalar(grep { $_ } @v), $many, "$many sessions");
    my $idle = $t->rss($worker);

    $_->type("ver\r") for @v;
    is(scalar(grep { defined $_->shows(qr/ver\r\n\d.*C:\\> /s) } @v), $many,
        'all are answered');
    $_->type("blast 20000\r") for @v;
    is(scalar(grep { defined $_->shows(qr/blast.{20000}.*C:\\> /s) } @v),
        $many, 'and get more than a frame');
    $_->{ws}->close for @v;
    is(scalar(grep { ($_->{ws}->wait_close)[0] == 1000 } @v), $many,
        'all are closed');
    is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;
}

AMT::Test::done();
