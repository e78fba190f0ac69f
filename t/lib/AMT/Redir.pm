package AMT::Redir;

# A viewer of redirection sessions: the messages a browser sends, over an
# AMT::WebSocket.
#
#   my $v = AMT::Redir->open($t, guid => $g, kind => 'sol', token => $token);
#   $v->{ws}{status} == 101 and $v->login or die $v->{error};
#   $v->sol; $v->type("ver\r"); $v->shows(qr/C:\\>/);

use strict;
use warnings;

use AMT::WebSocket;

my %service = (kvm => "\x10\x01\0\0KVMR", sol => "\x10\0\0\0SOL ",
    ider => "\x10\0\0\0IDER");

sub path {
    my (%o) = @_;
    my $port = $o{port} // 16994;
    my $p = $o{p} // 2;

    return '/relay/webrelay.ashx?'
        . "p=$p&host=$o{guid}&port=$port&tls=0&tls1only=0"
        . (defined $o{kind} && !$o{no_mode} ? "&mode=$o{kind}" : '')
        . ($o{args} // '');
}

sub open {
    my ($class, $t, %o) = @_;
    my $self = bless { kind => $o{kind} || 'sol', seq => 0, screen => '' },
        $class;

    $self->{ws} = AMT::WebSocket->connect($t, $o{listen} || 'http',
        $o{path} // path(%o, kind => $self->{kind}),
        protocol => $o{token},
        $o{ssl} ? (ssl => $o{ssl}) : (),
        headers => { ($o{key} ? ('X-API-Key' => $o{key}) : ()),
            %{$o{headers} || {}} });

    return $self;
}

sub u8 { join '', map { pack 'C/a*', $_ } @_ }

sub auth { my ($type, $data) = @_; "\x13\0\0\0" . pack 'CV/a*', $type, $data }

sub reply {
    my ($self) = @_;
    my $head = $self->{ws}->read(9);

    if (length $head < 9) {
        $self->{error} = 'reply is short: ' . unpack 'H*', $head;
        return;
    }
    my ($code, $status, $type, $n) = unpack 'CCx2CV', $head;

    return ($code, $status, $type, $self->{ws}->read($n));
}

# What every client does: a user and digest of its own, placeholders; their
# URI is empty, unless it is for the device
sub login {
    my ($self, %o) = @_;
    my $ws = $self->{ws};
    my $uri = $o{uri} // '';

    $ws->send($service{$self->{kind}});
    my $started = $ws->read(4);
    $self->{started} = $started;
    if ($started ne "\x11\0\0\0") {
        $self->{error} = 'start: ' . unpack 'H*', $started;
        return 0;
    }
    my $oem = unpack 'x8C', $ws->read(9);
    $ws->read($oem) if $oem;

    $ws->send(auth(0, ''));
    my ($code, $status, $type, $data) = $self->reply or return 0;
    if ($code != 0x14 || $type != 0 || $data !~ /\x04/) {
        $self->{error} = 'query';
        return 0;
    }

    $ws->send(auth(4, u8('joe', '', '', $uri, ('') x 4)));
    for (1 .. $o{tries} || 1) {
        ($code, $status, $type, $data) = $self->reply or return 0;
        ($self->{realm}, $self->{nonce}, $self->{qop}) = unpack '(C/a*)3',
            $data;
        $ws->send(auth(4, u8('joe', $self->{realm}, $self->{nonce}, $uri,
            'c0ffee', '00000001', 'f' x 32, 'auth')));
    }
    ($code, $status, $type, $data) = $self->reply or return 0;
    $self->{error} = "login: status $status";

    return $code == 0x14 && $status == 0 && $type == 4;
}

# ---- SOL ----

sub sol {
    my ($self) = @_;

    $self->{ws}->send("\x20\0\0\0" . pack 'Vv6V', $self->{seq}++, 10000, 100,
        0, 30000, 100, 0, 0);

    return $self->{ws}->read(23) =~ /^\x21/;
}

sub type {
    my ($self, $text) = @_;
    $self->{ws}->send("\x28\0\0\0" . pack 'Vv/a*', $self->{seq}++, $text);
}

# Until the terminal shows it: what was shown, or undef
sub shows {
    my ($self, $re, $seconds) = @_;

    until ($self->{screen} =~ $re) {
        my $head = $self->{ws}->read(8, $seconds);
        return undef if length $head < 8;
        my $code = ord $head;
        if ($code == 0x2a) {
            my $n = unpack 'v', $self->{ws}->read(2);
            $self->{screen} .= $self->{ws}->read($n);
        } elsif ($code == 0x29) {
            $self->{ws}->read(2);
        } elsif ($code != 0x2b) {
            die sprintf "SOL message %02x\n", $code;
        }
    }
    $self->{screen} =~ $re;

    return substr $self->{screen}, 0, $+[0], '';
}

# ---- KVM ----

sub kvm {
    my ($self) = @_;
    my $ws = $self->{ws};

    $ws->send("\x40" . "\0" x 7);
    $ws->read(8) eq "\x41" . "\0" x 7 or return 0;
    $ws->read(12) eq "RFB 003.008\n" or return 0;
    $ws->send("RFB 003.008\n");
    $ws->read(2) eq "\x01\x01" or return 0;
    $ws->send("\x01");
    $ws->read(4) eq "\0\0\0\0" or return 0;
    $ws->send("\x01");
    my $init = $ws->read(24);
    ($self->{width}, $self->{height}) = unpack 'nn', $init;
    $ws->read(unpack 'x20N', $init);

    return 1;
}

# Asks for n full pictures, 16 bit RAW in tiles; reads one
sub pictures {
    my ($self, $n) = @_;
    my $ask = "\x03\0" . pack 'n4', 0, 0, $self->{width}, $self->{height};

    $self->{ws}->send($ask x $n);
}

sub picture {
    my ($self, $seconds) = @_;
    my ($w, $h) = ($self->{width}, $self->{height});
    my $tiles = int(($w + 63) / 64) * int(($h + 63) / 64);

    return $self->{ws}->read(4 + 12 * $tiles + 2 * $w * $h, $seconds);
}

# ---- IDER ----

sub ider_head {
    my ($self, $cmd, $attributes) = @_;
    return pack 'Cx2CV', $cmd, $attributes, $self->{seq}++;
}

# Offers a CD of so many blocks of 2048 bytes; code gives those asked for.
# Ends when all were read.
sub ider {
    my ($self, $blocks, $code) = @_;
    my $ws = $self->{ws};
    my $next = 0;

    $ws->send($self->ider_head(0x40, 0) . pack 'vvvV', 30000, 0, 20000, 1);
    my $reply = $ws->read(30);
    return 0 if $reply !~ /^\x41/;
    $ws->send($self->ider_head(0x48, 0) . pack 'CV', 3, 0x19);

    while ($next < $blocks) {
        my $code50 = ord $ws->read(1);
        my $len = { 0x49 => 13, 0x50 => 28 }->{$code50} or return 0;
        my $rest = $ws->read($len - 1);
        next if $code50 == 0x49;

        my $cdb = substr $rest, 15;
        my $data;
        if (ord $cdb == 0x25) {
            $data = pack 'NN', $blocks - 1, 2048;
        } elsif (ord $cdb == 0x28) {
            my ($lba, $n) = unpack 'x2Nxn', $cdb;
            return 0 if $lba != $next;
            $data = $code->($lba, $n);
            $next += $n;
        } else {
            return 0;
        }
        while (length $data) {
            my $part = substr $data, 0, 8192, '';
            $ws->send($self->ider_head(0x54, length $data ? 0 : 2)
                . pack('xv', length $part) . "\0" x 23 . $part);
        }
    }

    return 1;
}

1;
