using Tidegate.Transport;
using Xunit;

namespace Tidegate.Tests.Transport;

public sealed class TransportChoiceTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("reactors")]
    public async Task Reactors_are_the_default_where_they_run(string? choice)
    {
        await using var transport = TransportChoice.Create(choice, TimeProvider.System, Assert.Fail);
        Assert.Equal(ReactorTransport.IsSupported ? Environment.ProcessorCount : 0, transport?.Reactors.Count ?? 0);
    }

    [Fact]
    public void Sockets_are_the_way_back() => Assert.Null(TransportChoice.Create("sockets", TimeProvider.System, Assert.Fail));

    [Fact]
    public void Another_transport_is_an_error_that_names_the_choices() =>
        Assert.Contains("sockets, reactors", Assert.Throws<ArgumentException>(() => TransportChoice.Create("iouring", TimeProvider.System, Assert.Fail)).Message, StringComparison.Ordinal);
}
