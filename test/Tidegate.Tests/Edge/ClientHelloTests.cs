using System.IO.Pipelines;
using System.Net.Security;
using Tidegate.Edge;
using Tidegate.Fuzz.Targets;
using Xunit;

namespace Tidegate.Tests.Edge;

public sealed class ClientHelloTests
{
    [Theory]
    [InlineData("api.example.com", "api.example.com")]
    [InlineData("API.Example.COM.", "api.example.com")]
    [InlineData("a..", "a.")]
    [InlineData("", "")]
    public void The_server_name_is_found_in_lower_case_and_without_its_final_dot(string sent, string expected) =>
        Assert.Equal((ClientHelloState.Complete, expected), Read(ClientHelloBytes.Build([sent])));

    [Fact]
    public void A_hello_without_a_name_or_without_extensions_is_complete()
    {
        Assert.Equal((ClientHelloState.Complete, null), Read(ClientHelloBytes.Build([])));
        byte[] bare = [3, 3, .. new byte[32], 0, 0, 2, 19, 1, 1, 0];
        Assert.Equal((ClientHelloState.Complete, null), Read([22, 3, 1, .. ClientHelloBytes.Vector([1, 0, .. ClientHelloBytes.Vector(bare)])]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(50)]
    public void Records_may_cut_it_anywhere(int recordBytes) => Assert.Equal((ClientHelloState.Complete, "a.test"), Read(ClientHelloBytes.Build(["a.test"], recordBytes)));

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(16_384)]
    public void Cut_off_at_any_byte_it_is_incomplete(int recordBytes)
    {
        var whole = ClientHelloBytes.Build(["a.test"], recordBytes);
        for (var length = 0; length < whole.Length; length++)
        {
            Assert.Equal((ClientHelloState.Incomplete, null), Read(whole[..length]));
        }
    }

    [Theory]
    [InlineData(new byte[] { 20, 3, 3, 0, 1, 1 })]
    [InlineData(new byte[] { 23, 3, 3, 0, 2, 8, 8 })]
    [InlineData(new byte[] { 0 })]
    public void What_comes_with_it_does_not_matter(byte[] more) => Assert.Equal((ClientHelloState.Complete, "a.test"), Read([.. ClientHelloBytes.Build(["a.test"]), .. more]));

    [Fact]
    public void Two_names_are_refused_because_the_server_could_go_by_the_other_one()
    {
        Assert.Equal((ClientHelloState.NotTls, null), Read(ClientHelloBytes.Build(["a.test", "b.test"])));
        Assert.Equal((ClientHelloState.NotTls, null), Read(ClientHelloBytes.Build(["a.test", "a.test"])));

        byte[] twoInOne = [0, .. ClientHelloBytes.Vector("a.test"u8.ToArray()), 0, .. ClientHelloBytes.Vector("b.test"u8.ToArray())];
        Assert.Equal((ClientHelloState.NotTls, null), Read(ClientHelloBytes.BuildWith([ClientHelloBytes.Extension(0, ClientHelloBytes.Vector(twoInOne))])));
    }

    [Theory]
    [InlineData(new byte[] { })]
    [InlineData(new byte[] { 0, 0 })]
    [InlineData(new byte[] { 0, 3, 1, 0, 0 })]
    [InlineData(new byte[] { 0, 4, 0, 0, 2, 97 })]
    [InlineData(new byte[] { 0, 4, 0, 0, 1, 0xE9 })]
    [InlineData(new byte[] { 0, 4, 0, 0, 1, 97, 0 })]
    public void A_malformed_name_is_refused(byte[] content) => Assert.Equal((ClientHelloState.NotTls, null), Read(ClientHelloBytes.BuildWith([ClientHelloBytes.Extension(0, content)])));

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n")]
    [InlineData("SSH-2.0-OpenSSH")]
    [InlineData("\u0016\u0002")]
    [InlineData("\u0016\u0003\u0001\u0000\u0000")]
    [InlineData("\u0016\u0003\u0001\u0000\u0004\u0002\u0000\u0000\u0000")]
    [InlineData("\u0016\u0003\u0001\u0000\u0004\u0001\u0001\u0000\u0000")]
    [InlineData("\u0016\u0003\u0001\uffff")]
    public void Anything_else_is_no_tls(string bytes) => Assert.Equal((ClientHelloState.NotTls, null), Read([.. bytes.SelectMany(letter => letter > 0xFF ? new[] { (byte)(letter >> 8), (byte)letter } : [(byte)letter])]));

    [Fact]
    public async Task A_real_clients_hello_is_read()
    {
        var (sent, unused) = (new Pipe(), new Pipe());
        await using var stream = new SslStream(new DuplexStream(unused.Reader, sent.Writer));
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var handshake = stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "Real.Example.com" }, enough.Token);

        var hello = (await sent.Reader.ReadAsync(TestContext.Current.CancellationToken)).Buffer;

        Assert.Equal((ClientHelloState.Complete, "real.example.com"), Read([.. hello.FirstSpan]));
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => handshake);
    }

    private static (ClientHelloState State, string? Name) Read(byte[] bytes)
    {
        var state = ClientHello.Read(bytes, out var name);
        return (state, name);
    }
}
