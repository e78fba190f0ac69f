#!/usr/bin/perl
# Secrets in requests to devices do not stay in a worker's memory: consent
# codes, AMT and MEBx passwords, keys and passwords of wireless profiles,
# credentials for HTTPS boot; whether the device takes them, refuses them,
# does not answer, goes away, or the client does.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use Digest::MD5 qw(md5 md5_hex);
use JSON::PP;
use MIME::Base64;
use Time::HiRes qw(sleep time);

my %key = %AMT::Api::key;
my $pace = AMT::Test::pace();

# Sanitizers and valgrind keep and fill what was freed, so nothing can be looked
# for there; they see whether something is wiped that is not there any longer.
my $watched = AMT::Test::variant() ne '';
my $at = 0;

my @all = ('taken', 'refused', 'no answer', 'lost', 'client gone',
    'device gone');
my @some = ('taken', 'client gone', 'device gone');

for my $way (['in memory', 1, 'on', $watched ? @some : @all],
    ['through the owner\'s socket', 1, 'off', @some],
    ['on any of two workers', 2, 'on', @some[0, 1]])
{
    subtest $way->[0] => sub { all(@$way) };
}

sub all {
    my ($name, $workers, $direct, @outcomes) = @_;
    my ($t, $vault) = AMT::Api::start(test => { workers => $workers },
        http => "amt_device_direct $direct; amt_timeout "
            . 600 * $pace . 'ms; amt_budget ' . (4 * $pace) . 's;');
    my $sim = AMT::Api::devices($t, count => 2, reconnect => 50,
        power_delay => 1);
    my $ccm = AMT::Api::devices($t, control_mode => 'client', reconnect => 50,
        guid => 'c0000000-0000-4000-8000-000000000001');

    if (!$watched && !defined +($t->in_memory(($t->workers)[0], 'x'))[0]) {
        plan skip_all => 'memory of a worker cannot be read';
    }

    # what the search finds when it is there
    my $there = join '-', 'sea', 'rch', 731;
    my $s = $t->socket('http');
    $s->syswrite("GET /api/v1/$there HTTP/1.1\r\nHost: h\r\nX-Y: ");
    ok($watched || $t->wait_for(sub { in_memory($t, $there) }, 3),
        'the search finds');
    close $s;

    for my $what (kinds($t, $sim, $ccm)) {
        my %how = (
            'taken' => '', 'refused' => 'fault=1*1', 'no answer' => 'mute*1',
            'lost' => 'lost*1', 'client gone' => 'mute*1',
            'device gone' => 'drop-after*1',
        );
        for my $outcome (@outcomes) {
            one($t, $what, $outcome, $how{$outcome}
                && "at:$what->{action},$how{$outcome}");
        }
    }

    without_device($t, $vault, $sim->guid(1)) if $direct eq 'on';

    is($ccm->stop, 0, 'the gateway kept to the protocol') or diag $ccm->log;
    isnt($sim->stop, 3, 'this one, too') or diag $sim->log;
    $t->stop;
}

sub one {
    my ($t, $what, $outcome, $misbehave) = @_;
    my $leave = $outcome eq 'client gone';
    my ($sim, $n) = @{$what->{sim}};
    my $name = "$what->{name}, $outcome";

    $at++;
    $what->{before}->() if $what->{before};
    my ($body, @secrets) = $what->{body}->(sprintf '%03d', $at);
    my $content = JSON::PP->new->canonical->encode($body);

    $sim->mark;
    $sim->misbehave($n, $misbehave) if $misbehave;

    my $s = $t->socket('http');
    $s->syswrite("$what->{method} $what->{path} HTTP/1.0\r\nHost: h\r\n"
        . "X-API-Key: $key{admin}\r\nContent-Type: application/json\r\n"
        . 'Content-Length: ' . length($content) . "\r\n\r\n$content");

    if ($leave) {
        ok($sim->wait_event('request', action => $what->{action}),
            "$name: the device has it") or diag $sim->log;
        close $s;
    }
    else {
        my $answer = $t->exchange($s, '', 10);
        like($answer, $outcome eq 'taken' ? qr{^HTTP/1\.1 20[04] }
            : qr{^HTTP/1\.1 [245]}, $name) or diag $answer;
        close $s;
    }

    # a client that left: until what must be brought to an end is
    ok($t->wait_for(sub { !in_memory($t, @secrets) }, $leave ? 4 : 1),
        "$name: not in memory") or diag where($t, @secrets);

    $sim->misbehave($n, 'off');
    $what->{after}->() if $what->{after};

    # the device comes back
    ok($t->wait_for(sub { $t->get($what->{works}, key => $key{reader})
        ->{status} == 200 }, 10), "$name: works afterwards");
}

# passwords that only Vault is told

sub without_device {
    my ($t, $vault, $g) = @_;

    for my $mode ('', 'error') {
        my $p = join '', 'kept', '-pass-', ++$at;
        my $name = $mode ? 'Vault fails' : 'Vault takes it';
        $vault->mode($mode);
        my $r = $t->patch('/api/v1/devices', key => $key{admin}, json => {
            guid => $g, mpspassword => $p, amtpassword => "amt-$p" });
        $vault->mode('');
        is($r->{status}, $mode ? 503 : 200, $name) or diag $r->{body};
        ok($t->wait_for(sub { !in_memory($t, $p) }, 1), "$name: not in memory")
            or diag where($t, $p);
    }
}

sub in_memory {
    my ($t, @secrets) = @_;
    return 0 if $watched;
    for my $pid ($t->workers) {
        return 1 if grep { $_ } $t->in_memory($pid, @secrets);
    }
    return 0;
}

# bytes around each place, for whoever has to find out whose they are

sub where {
    my ($t, @secrets) = @_;
    return join "\n", map { my $pid = $_; map { my $text = $_;
        map { "$pid $text: $_" } around($pid, $text, 120) } @secrets }
        $t->workers;
}

sub around {
    my ($pid, $text, $bytes) = @_;
    my @all;

    open my $maps, '<', "/proc/$pid/maps" or return;
    open my $mem, '<:raw', "/proc/$pid/mem" or return;

    while (my $line = <$maps>) {
        no warnings 'portable';
        my ($pos, $end, $what) = $line
            =~ /^(\w+)-(\w+) rw\S+ \S+ \S+ \S+\s*([^[]?.*)/ or next;
        ($pos, $end) = (hex $pos, hex $end);
        next if $what =~ /^\[v/ || $end - $pos > 1 << 28;
        sysseek $mem, $pos, 0 or next;
        my $buf = '';
        1 while length $buf < $end - $pos
            and sysread $mem, $buf, $end - $pos - length $buf, length $buf;
        my $at = -1;
        while (($at = index $buf, $text, $at + 1) >= 0) {
            my $from = $at > $bytes ? $at - $bytes : 0;
            push @all, sprintf('%x %s: ', $pos + $at, $what)
                . (substr($buf, $from, 2 * $bytes) =~ s/[^\x20-\x7e]/./gr);
        }
    }

    return @all;
}

# base64 of text that stands at any place of a longer one

sub pieces {
    my ($text) = @_;
    my @all;
    for my $shift (0 .. 2) {
        my $b = encode_base64('x' x $shift . $text, '');
        push @all, substr $b, $shift ? 4 : 0, length($b) - 8;
    }
    return @all;
}

sub kinds {
    my ($t, $sim, $ccm) = @_;
    my ($g, $c) = ($sim->guid(0), $ccm->guid(0));
    my $realm = $sim->instances(0, 'AMT_GeneralSettings')->[0]{DigestRealm};
    my $wifi = "/api/v1/amt/networkSettings/wireless/profile/$g";
    my %profile = (ssid => 'Net', authenticationMethod => 'WPA2PSK',
        encryptionMethod => 'CCMP');
    my $priority = 0;
    my $works = "/api/v1/amt/version/$g";
    my $profile = 'none';

    # the device keeps only a few
    my $clear = sub { $t->delete("$wifi/$profile", key => $key{admin}) };

    return (
        { name => 'consent code', action => 'SendOptInCode', method => 'POST',
          path => "/api/v1/amt/userConsentCode/$c", sim => [$ccm, 0],
          works => "/api/v1/amt/version/$c",
          before => sub {
              $t->get("/api/v1/amt/userConsentCode/cancel/$c",
                  key => $key{admin});
              $t->get("/api/v1/amt/userConsentCode/$c", key => $key{admin});
              $ccm->set(0, 'consent-code', '918' . sprintf '%03d', $at);
          },
          body => sub { ({ consentCode => "918$_[0]" }, "918$_[0]") } },

        { name => 'AMT password', action => 'SetAdminAclEntryEx',
          method => 'PUT', path => "/api/v1/admin/devices/$g/secrets",
          sim => [$sim, 0], works => $works,
          body => sub {
              my $p = join '', 'Amt!', 'new-', $_[0];
              my $md = md5("admin:$realm:$p");
              return ({ amtpassword => $p }, $p,
                  substr(encode_base64($md, ''), 0, 20), unpack 'H*', $md);
          },
          # what is pending is settled, in whatever way
          after => sub { $t->wait_for(sub { $t->put(
              "/api/v1/admin/devices/$g/secrets", key => $key{admin},
              json => {})->{status} == 200 }, 10) } },

        { name => 'MEBx password', action => 'SetMEBxPassword',
          method => 'PUT', path => "/api/v1/admin/devices/$g/secrets",
          sim => [$sim, 0], works => $works,
          body => sub {
              my $p = join '', 'Mbx!', 'new-', $_[0];
              return ({ mebxpassword => $p }, $p);
          },
          after => sub { $t->wait_for(sub { $t->put(
              "/api/v1/admin/devices/$g/secrets", key => $key{admin},
              json => {})->{status} == 200 }, 10) } },

        { name => 'PSK', action => 'AddWiFiSettings', method => 'POST',
          path => $wifi, sim => [$sim, 0], works => $works,
          body => sub {
              my $p = join '', 'psk<', 'pass&', 'word-', $_[0];
              return ({ %profile, profileName => ($profile = "psk$_[0]"),
                  priority => $priority = $priority % 200 + 1, password => $p }, $p,
                  'psk&lt;pass&amp;word-' . $_[0]);
          }, before => $clear },

        { name => '802.1x password', action => 'AddWiFiSettings',
          method => 'POST', path => $wifi, sim => [$sim, 0], works => $works,
          body => sub {
              my $p = join '', 'radius-', 'pass-', $_[0];
              return ({ %profile, profileName => ($profile = "eap$_[0]"),
                  priority => $priority = $priority % 200 + 1,
                  authenticationMethod => 'WPA2IEEE8021x', ieee8021x => {
                      username => 'dev', authenticationProtocol => 2,
                      password => $p,
                      caCert => der($t->read_file('root.crt')) } }, $p);
          }, before => $clear },

        { name => 'private key', action => 'AddKey', method => 'POST',
          path => $wifi, sim => [$sim, 0], works => $works,
          body => sub {
              openssl($t, qw(req -x509 -newkey rsa:2048 -nodes -days 3
                  -keyout wifi.key -out wifi.crt -subj /CN=dev1));
              openssl($t, qw(rsa -in wifi.key -traditional -out wifi.pkcs1));
              my $rsa = der($t->read_file('wifi.pkcs1'));
              return ({ %profile, profileName => ($profile = "key$_[0]"),
                  priority => $priority = $priority % 200 + 1,
                  authenticationMethod => 'WPA2IEEE8021x', ieee8021x => {
                      username => 'dev', authenticationProtocol => 0,
                      privateKey => $rsa,
                      clientCert => der($t->read_file('wifi.crt')),
                      caCert => der($t->read_file('root.crt')) } },
                  # as text, and as bytes of the private exponent
                  substr($rsa, 800, 60),
                  substr(decode_base64($rsa), 300, 30));
          }, before => $clear },

        { name => 'boot password', action => 'Put', method => 'POST',
          path => "/api/v1/amt/power/bootOptions/$g", sim => [$sim, 0],
          works => $works,
          body => sub {
              my $p = join '', 'boot-', 'pass-', $_[0];
              return ({ action => 105, useSOL => JSON::PP::false,
                  bootDetails => { url => 'https://10.1.1.1/boot.efi',
                      username => 'u', password => $p } }, $p, pieces($p));
          } },
    );
}

sub openssl {
    my $t = shift;
    my $cmd = join ' ', map { "'$_'" } 'openssl', @_;
    system("cd '$t->{dir}' && $cmd >/dev/null 2>&1") == 0 or die $cmd;
}

sub der {
    my ($pem) = $_[0] =~ /-----BEGIN [A-Z0-9 ]+-----\n(.*?)-----END/s;
    return $pem =~ s/\s//gr;
}

AMT::Test::done();
