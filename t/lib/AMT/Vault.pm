package AMT::Vault;

# A small Vault for tests: KV version 2 under /v1/secret/ with check-and-set,
# sys/health, and ways to misbehave.
#
#   my $v = AMT::Vault->new($port);
#   $v->mode('sealed');    # '' denied sealed error drop garbage cut, slow:SECONDS,
#                          # race:N (the next N writes lose)
#   $v->put('devices/x', { AMT_PASSWORD => 'P' });
#   my $data = $v->get('devices/x');           # undef: none
#   my @calls = $v->calls;                     # "GET data/devices/x", ...

use strict;
use warnings;
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(sleep);

sub new {
    my ($class, $port) = @_;
    my $self = bless { port => $port, owner => $$,
        dir => tempdir('vault-XXXXXXXX', DIR => '/tmp', CLEANUP => 1) },
        $class;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $port, Listen => 128, ReuseAddr => 1, Proto => 'tcp')
        or die "vault: $port: $!";

    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        $SIG{PIPE} = 'IGNORE';
        eval { $self->serve($listen) };
        POSIX::_exit(0);
    }
    close $listen;

    return $self;
}

sub serve {
    my ($self, $listen) = @_;
    my $select = IO::Select->new($listen);
    my (%in, %late);

    while (getppid != 1) {
        my $now = Time::HiRes::time();
        for my $k (keys %late) {
            my ($t, $s, $text) = @{$late{$k}};
            next if $t > $now;
            syswrite $s, $text;
            delete $late{$k};
        }
        for my $s ($select->can_read(0.05)) {
            if ($s == $listen) {
                my $c = $listen->accept or next;
                $select->add($c);
                $in{$c} = '';
                next;
            }
            my $n = sysread $s, $in{$s}, 65536, length $in{$s};
            if (!$n) {
                $select->remove($s);
                delete $in{$s};
                delete $late{$s};
                close $s;
                next;
            }
            while ($in{$s} =~ /^(.*?\r\n\r\n)/s) {
                my $head = $1;
                my ($length) = $head =~ /^Content-Length: *(\d+)/mi;
                $length ||= 0;
                last if length($in{$s}) < length($head) + $length;
                my $body = substr $in{$s}, length $head, $length;
                substr $in{$s}, 0, length($head) + $length, '';
                my ($method, $uri) = $head =~ m{^(\S+) (\S+)};
                my ($text, $delay) = $self->handle($method, $uri, $body);
                if (!defined $text) {
                    $select->remove($s);
                    close $s;
                    last;
                }
                if ($delay) {
                    $late{$s} = [Time::HiRes::time() + $delay, $s, $text];
                } else {
                    syswrite $s, $text;
                    if ($text =~ /Content-Length: 9999/) {
                        $select->remove($s);
                        close $s;
                        last;
                    }
                }
            }
        }
    }
}

sub reply {
    my ($status, $data) = @_;
    my $text = defined $data ? encode_json($data) : '';

    return "HTTP/1.1 $status X\r\n"
        . ($status == 204 ? "\r\n"
            : "Content-Type: application/json\r\nContent-Length: "
                . length($text) . "\r\n\r\n$text");
}

sub handle {
    my ($self, $method, $uri, $body) = @_;
    my $control = $uri =~ s{^/control}{};
    my $mode = $control ? '' : $self->read('mode');
    my $delay = $mode =~ /^slow:(.*)/ ? $1 : 0;

    $uri =~ s{^/v1/}{};
    $uri =~ s{\?.*}{};
    (my $short = $uri) =~ s{^secret/}{};
    $self->log("$method $short") unless $control;

    return undef if $mode eq 'drop';
    return "garbage\r\n\r\n" if $mode eq 'garbage';
    return "HTTP/1.1 200 X\r\nContent-Length: 9999\r\n\r\n{" if $mode eq 'cut';
    return reply(500, { errors => ['internal error'] }) if $mode eq 'error';
    return reply(403, { errors => ['permission denied'] })
        if $mode eq 'denied';

    if ($uri eq 'sys/health') {
        my $sealed = $mode eq 'sealed';
        return (reply($sealed ? 503 : 200, { initialized => JSON::PP::true,
            sealed => $sealed ? JSON::PP::true : JSON::PP::false,
            standby => JSON::PP::false }), $delay);
    }
    return reply(503, { errors => ['Vault is sealed'] }) if $mode eq 'sealed';

    my ($what, $path) = $uri =~ m{^secret/(data|metadata)/(.*)}
        or return reply(404, { errors => [] });
    my $e = $self->{kv}{$path};

    if ($what eq 'metadata' && $method eq 'DELETE') {
        delete $self->{kv}{$path};
        return (reply(204), $delay);
    }
    if ($what eq 'metadata') {
        my @keys = map { m{^\Q$path\E/?(.+)} ? $1 : () } keys %{$self->{kv}};
        return (reply(@keys ? 200 : 404, @keys ? { data => { keys => \@keys } }
            : { errors => [] }), $delay);
    }
    if ($method eq 'GET') {
        return (reply(404, { errors => [] }), $delay) unless $e;
        return (reply(200, { data => { data => $e->{data},
            metadata => { version => $e->{version} } } }), $delay);
    }

    my $in = eval { decode_json($body) } or return reply(400,
        { errors => ['bad body'] });
    my $cas = $in->{options}{cas};
    my $version = $e ? $e->{version} : 0;

    if ($mode =~ /^race:(\d+)/ && $1 > 0) {
        $self->mode('race:' . ($1 - 1));
        $version++;
        $self->{kv}{$path} = { data => { %{$e ? $e->{data} : {}},
            RACE => "$1" }, version => $version };
    }
    if (!$control && (!defined $cas || $cas != $version)) {
        return (reply(400, { errors => ['check-and-set parameter did not '
            . 'match the current version'] }), $delay);
    }
    $self->{kv}{$path} = { data => $in->{data}, version => $version + 1 };

    return (reply(200, { data => { version => $version + 1 } }), $delay);
}

sub read {
    my ($self, $name) = @_;
    open my $f, '<', "$self->{dir}/$name" or return '';
    local $/;
    return scalar <$f> // '';
}

sub log {
    my ($self, $line) = @_;
    open my $f, '>>', "$self->{dir}/calls" or return;
    print $f "$line\n";
    close $f;
}

sub mode {
    my ($self, $mode) = @_;
    open my $f, '>', "$self->{dir}/mode.new" or die $!;
    print $f $mode;
    close $f;
    rename "$self->{dir}/mode.new", "$self->{dir}/mode";
}

sub calls { split /\n/, $_[0]->read('calls') }

sub control {
    my ($self, $method, $path, $data) = @_;
    my $r = HTTP::Tiny->new(timeout => 10)->request($method,
        "http://127.0.0.1:$self->{port}/control/v1/secret/$path",
        $data ? { content => encode_json($data) } : {});
    return $r->{success} ? eval { decode_json($r->{content}) } || {} : undef;
}

sub put { $_[0]->control('POST', "data/$_[1]", { data => $_[2] }) }
sub forget { $_[0]->control('DELETE', "metadata/$_[1]") }

sub get {
    my ($self, $path) = @_;
    my $r = $self->control('GET', "data/$path") or return undef;
    return $r->{data}{data};
}

sub stop {
    my ($self) = @_;
    return unless $self->{pid} && $self->{owner} == $$;
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    delete $self->{pid};
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);
    $self->stop;
}

1;
