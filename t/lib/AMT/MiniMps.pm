package AMT::MiniMps;

# The smallest server an AMT device can log in to: APF as apf.md says, in
# plain Perl, one device at a time, blocking.  For testing the emulator
# without the gateway.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL;
use Time::HiRes qw(time);

sub new {
    my ($class, %o) = @_;

    my $l = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128,
        ReuseAddr => 1) or die "listen: $!";

    return bless { listen => $l, timeout => 10, %o }, $class;
}

sub port { $_[0]{listen}->sockport }

sub accept {
    my ($self, %o) = @_;

    IO::Select->new($self->{listen})->can_read($self->{timeout})
        or die "no connection";
    my $s = $self->{listen}->accept or die "accept: $!";

    if ($self->{cert}) {
        IO::Socket::SSL->start_SSL($s, SSL_server => 1,
            SSL_cert_file => $self->{cert}, SSL_key_file => $self->{key},
            SSL_session_id_context => 'x', %o) or return undef;
    }

    $s->blocking(0);

    return bless { s => $s, in => '', next => 1, ch => {},
        timeout => $self->{timeout}, auto => 1 }, 'AMT::MiniMps::Session';
}

package AMT::MiniMps::Session;

use Digest::MD5 qw(md5_hex);
use IO::Socket::SSL;
use Time::HiRes qw(time);

sub _fill {
    my ($self, $end) = @_;
    my $s = $self->{s};

    while (1) {
        my $n = $s->sysread(my $buf, 65536);
        if ($n) {
            $self->{in} .= $buf;
            return 1;
        }
        return 0 if defined $n;

        my $wait = IO::Select->new($s);
        return undef if !$!{EAGAIN} && !$!{EWOULDBLOCK}
            && ($SSL_ERROR // 0) != SSL_WANT_READ;
        my $left = $end - time;
        return undef if $left <= 0;
        $wait->can_read($left) or return undef;
    }
}

sub send {
    my ($self, $data) = @_;
    my $s = $self->{s};
    local $SIG{PIPE} = 'IGNORE';

    while (length $data) {
        my $n = $s->syswrite($data, 16384);
        if (!defined $n) {
            return 0 unless $!{EAGAIN} || $!{EWOULDBLOCK};
            IO::Select->new($s)->can_write(5) or return 0;
            next;
        }
        substr($data, 0, $n) = '';
    }

    return 1;
}

sub _need {
    my ($self, $n, $end) = @_;
    while (length $self->{in} < $n) {
        return 0 unless $self->_fill($end);
    }
    return 1;
}

# the next message as a hash, undef at end or time-out

sub msg {
    my ($self, $timeout) = @_;
    my $end = time + ($timeout || $self->{timeout});

    $self->_need(1, $end) or return undef;
    my $t = ord $self->{in};
    my $at = 1;
    my $u32 = sub {
        $self->_need($at + 4, $end) or die "cut\n";
        my $v = unpack 'N', substr $self->{in}, $at, 4;
        $at += 4;
        return $v;
    };
    my $bytes = sub {
        my $n = shift;
        $self->_need($at + $n, $end) or die "cut\n";
        my $v = substr $self->{in}, $at, $n;
        $at += $n;
        return $v;
    };
    my $str = sub { $bytes->($u32->()) };

    my %m = (type => $t);
    my $ok = eval {
        if ($t == 192) {
            @m{qw(major minor trigger)} = map { $u32->() } 1 .. 3;
            $m{uuid} = $bytes->(16);
            $m{reserved} = $bytes->(64);
        } elsif ($t == 5) {
            $m{service} = $str->();
        } elsif ($t == 50) {
            @m{qw(user service method)} = map { $str->() } 1 .. 3;
            if ($m{method} eq 'password') {
                $m{change} = ord $bytes->(1);
                $m{password} = $str->();
            }
        } elsif ($t == 80) {
            $m{name} = $str->();
            $m{want} = ord $bytes->(1);
            $m{address} = $str->();
            $m{port} = $u32->();
            if ($m{name} =~ /^udp/) {
                $m{origin} = $str->();
                $m{origin_port} = $u32->();
                $m{data} = $str->();
            }
        } elsif ($t == 90) {
            $m{kind} = $str->();
            @m{qw(sender window max)} = map { $u32->() } 1 .. 3;
            $m{address} = $str->();
            $m{port} = $u32->();
            $m{origin} = $str->();
            $m{origin_port} = $u32->();
        } elsif ($t == 91) {
            @m{qw(channel sender window max)} = map { $u32->() } 1 .. 4;
        } elsif ($t == 92) {
            @m{qw(channel reason a b)} = map { $u32->() } 1 .. 4;
        } elsif ($t == 93) {
            @m{qw(channel n)} = map { $u32->() } 1 .. 2;
        } elsif ($t == 94) {
            $m{channel} = $u32->();
            $m{data} = $str->();
        } elsif ($t == 97) {
            $m{channel} = $u32->();
        } elsif ($t == 208 || $t == 209) {
            $m{cookie} = $u32->();
        } elsif ($t == 211) {
            @m{qw(interval timeout)} = map { $u32->() } 1 .. 2;
        } elsif ($t == 1) {
            $m{reason} = $u32->();
            $bytes->(2);
        } else {
            die "message $t is unknown\n";
        }
        1;
    };

    if (!$ok) {
        $self->{error} = $@;
        return undef;
    }

    substr($self->{in}, 0, $at) = '';
    return \%m;
}

sub str { pack('N/a*', $_[0]) }

# the whole login; what the device said about itself

sub login {
    my ($self, %o) = @_;
    my %d = (ports => []);

    my $m = $self->msg or die "nothing: " . ($self->{error} // '');
    $m->{type} == 192 or die "no version";
    my @u = unpack 'C16', $m->{uuid};
    $d{guid} = sprintf '%02x' x 4 . '-' . '%02x%02x-' x 3 . '%02x' x 6,
        @u[3, 2, 1, 0, 5, 4, 7, 6, 8 .. 15];
    $d{trigger} = $m->{trigger};

    $m = $self->msg or die;
    $m->{type} == 5 or die "message $m->{type} instead of 5";
    $self->send(pack('C', 6) . str($m->{service}));

    $m = $self->msg or die;
    if ($m->{method} eq 'none') {
        $d{probed} = 1;
        $self->send(pack('C', 51) . str('password') . "\0");
        $m = $self->msg or die;
    }
    @d{qw(user password)} = @$m{qw(user password)};

    if ($o{refuse}) {
        $self->send(pack('C', 51) . str('password') . "\0");
        return \%d;
    }

    $self->send(pack('C', 52));

    $m = $self->msg or die;
    $m->{type} == 5 or die;
    $self->send(pack('C', 6) . str($m->{service}));

    while (@{$d{ports}} < ($o{ports} // 2)) {
        $m = $self->msg or die "too few ports";
        next if $m->{type} == 208;
        push @{$d{ports}}, $m->{port};
        $d{address} = $m->{address};
        $self->send(pack('CN', 81, $m->{port})) if $m->{want};
    }

    return $self->{device} = \%d;
}

sub open {
    my ($self, $port, %o) = @_;
    my $id = $o{id} // $self->{next}++;
    my $w = $o{window} // 32768;

    $self->send(pack('C', 90) . str($o{kind} // 'forwarded-tcpip')
        . pack('NNN', $id, $w, 0xffffffff) . str('') . pack('N', $port)
        . str('1.2.3.4') . pack('N', 1024));

    my $m = $self->wait(sub {
        ($_[0]{type} == 91 || $_[0]{type} == 92) && $_[0]{channel} == $id
    }) or return undef;

    return { failed => $m->{reason} } if $m->{type} == 92;

    return $self->{ch}{$id} = { id => $id, peer => $m->{sender}, in => '',
        credits => $m->{window}, window => $w, pending => 0 };
}

# handles messages until one makes the function true

sub wait {
    my ($self, $fn, $timeout) = @_;
    my $end = time + ($timeout || $self->{timeout});

    while (1) {
        my $left = $end - time;
        my $m = $left > 0 ? $self->msg($left) : undef;
        return undef unless $m;

        my $c = defined $m->{channel} ? $self->{ch}{$m->{channel}} : undef;

        if ($m->{type} == 93 && $c) {
            $c->{credits} += $m->{n};
        } elsif ($m->{type} == 94 && $c) {
            $c->{in} .= $m->{data};
            push @{$c->{sizes}}, length $m->{data};
            $c->{pending} += length $m->{data};
            if ($self->{auto} && $c->{pending} > $c->{window} / 2) {
                $self->send(pack('CNN', 93, $c->{peer}, $c->{pending}));
                $c->{pending} = 0;
            }
        } elsif ($m->{type} == 97 && $c) {
            $c->{closed} = 1;
            $self->send(pack('CN', 97, $c->{peer}))
                if $self->{auto} && !$c->{closing}++;
        } elsif ($m->{type} == 208 && $self->{auto}) {
            $self->send(pack('CN', 209, $m->{cookie}));
        }

        return $m if $fn->($m);
    }
}

sub data {
    my ($self, $c, $data) = @_;

    while (length $data) {
        if (!$c->{credits}) {
            $self->wait(sub { $c->{credits} || $c->{closed} }) or return 0;
            return 0 if $c->{closed};
        }
        my $n = length $data < $c->{credits} ? length $data : $c->{credits};
        $n = 4096 if $n > 4096;
        $self->send(pack('CNN', 94, $c->{peer}, $n) . substr $data, 0, $n);
        $c->{credits} -= $n;
        substr($data, 0, $n) = '';
    }

    return 1;
}

sub close_channel {
    my ($self, $c) = @_;
    $self->send(pack('CN', 97, $c->{peer})) unless $c->{closing}++;
    return 1 if $c->{closed};
    return $self->wait(sub { $c->{closed} });
}

# one HTTP exchange: { status, head, body, raw }

sub http {
    my ($self, $c, $request, $timeout) = @_;

    $c->{in} = '';
    $self->data($c, $request) or return { error => 'closed' };

    while ($c->{in} !~ /\r\n\r\n/) {
        return { error => $c->{closed} ? 'closed' : 'timeout',
                 raw => $c->{in} }
            if $c->{closed}
            || !$self->wait(sub { $c->{closed} || $c->{in} =~ /\r\n\r\n/ },
                            $timeout);
    }

    my %r;
    my ($head) = $c->{in} =~ /^(.*?\r\n)\r\n/s;
    @r{qw(head raw)} = ($head, $c->{in});
    ($r{status}) = $head =~ m{^HTTP/1\.1 (\d+)} or $r{error} = 'no HTTP';
    my $at = length($head) + 2;

    if ($head =~ /Transfer-Encoding: chunked/i) {
        my $body = '';
        while (1) {
            my $rest = substr $c->{in}, $at;
            if ($rest =~ /^([0-9A-Fa-f]{4}|0)\r\n/) {
                my $n = hex $1;
                my $skip = length($1) + 2;
                if (length $rest >= $skip + $n + 2) {
                    $body .= substr $rest, $skip, $n;
                    $at += $skip + $n + 2;
                    push @{$r{chunks}}, $n;
                    last if $n == 0;
                    next;
                }
            } elsif (length $rest > 6) {
                $r{error} = 'chunk';
                last;
            }
            if ($c->{closed}
                || !$self->wait(sub { $_[0]{type} == 94 || $c->{closed} },
                                $timeout))
            {
                $r{error} = $c->{closed} ? 'closed' : 'timeout';
                last;
            }
        }
        $r{body} = $body;
    } elsif ($head =~ /Content-Length: (\d+)/i) {
        my $n = $1;
        while (length $c->{in} < $at + $n) {
            if ($c->{closed} || !$self->wait(sub { 1 }, $timeout)) {
                $r{error} = 'cut';
                last;
            }
        }
        $r{body} = substr $c->{in}, $at, $n;
    }

    $r{raw} = $c->{in};
    return \%r;
}

sub challenge {
    my ($self, $head) = @_;
    my ($line) = $head =~ /^WWW-Authenticate: Digest (.*?)\r$/m or return;
    my %c;
    while ($line =~ /(\w+)\s*=\s*"([^"]*)"/g) {
        $c{$1} = $2;
    }
    return $self->{auth} = { %c, nc => 0 };
}

sub authorization {
    my ($self, %o) = @_;
    my $c = $self->{auth};
    my %a = (username => 'admin', password => 'P@ssw0rd', uri => '/wsman',
        qop => 'auth', cnonce => '0a4f113b', realm => $c->{realm},
        nonce => $c->{nonce}, nc => sprintf('%08x', ++$c->{nc}), %o);
    my $ha1 = md5_hex("$a{username}:$a{realm}:$a{password}");
    my $ha2 = md5_hex("POST:$a{uri}");
    $a{response} //= md5_hex(join ':', $ha1, @a{qw(nonce nc cnonce qop)},
        $ha2);
    my $text = 'Digest ' . join ',', map { qq($_="$a{$_}") }
        qw(username realm nonce uri qop response nc cnonce);
    return $text;
}

sub post {
    my ($self, $body, %h) = @_;
    my $r = "POST /wsman HTTP/1.1\r\nHost: $self->{device}{guid}:16992\r\n"
        . "Content-Type: application/soap+xml;charset=UTF-8\r\n";
    $r .= "Authorization: $h{auth}\r\n" if $h{auth};
    $r .= 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    return $r;
}

# a WSMAN body with a valid login, over a channel of its own if need be

sub wsman {
    my ($self, $body, %o) = @_;

    for my $try (1 .. 2) {
        my $c = $self->{wsman};
        if (!$c || $c->{closed}) {
            $c = $self->{wsman} = $self->open(16992) or return;
        }
        my $r = $self->http($c, $self->post($body,
            $self->{auth} ? (auth => $self->authorization(%o)) : ()));
        $self->wait(sub { $c->{closed} })
            if !$c->{closed} && ($r->{head} // '') =~ /^Connection: close/m;
        return $r unless ($r->{status} // 0) == 401 && $try == 1;
        $self->challenge($r->{head});
    }
}

sub close { $_[0]{s}->close }

1;
