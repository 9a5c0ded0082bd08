using System.Net;
using Microsoft.AspNetCore.Http;
using Tidegate.Configuration;
using Tidegate.Control.Admin;
using Xunit;

namespace Tidegate.Tests.Control;

public sealed class AdminGuardTests
{
    [Theory]
    [InlineData("127.0.0.1:9900", true)]
    [InlineData("127.0.0.1", true)]
    [InlineData("127.8.8.8:1", true)]
    [InlineData("localhost:9900", true)]
    [InlineData("LOCALHOST:9900", true)]
    [InlineData("[::1]:9900", true)]
    [InlineData("", false)]
    [InlineData("evil.example:9900", false)]
    [InlineData("localhost.evil.example", false)]
    [InlineData("127.0.0.1.evil.example", false)]
    [InlineData("10.0.0.1:9900", false)]
    [InlineData("0.0.0.0:9900", false)]
    public void On_loopback_only_loopback_names_are_answered(string host, bool isAnswered) =>
        Assert.Equal(isAnswered, AdminGuard.AllowsHost(new HostString(host), new IPEndPoint(IPAddress.Loopback, 9900)));

    [Fact]
    public void Elsewhere_the_token_protects_and_any_name_is_answered() =>
        Assert.True(AdminGuard.AllowsHost(new HostString("gateway.internal:9900"), new IPEndPoint(IPAddress.Any, 9900)));

    [Theory]
    [InlineData("Bearer correct-horse-battery", true)]
    [InlineData("bearer correct-horse-battery", true)]
    [InlineData("Bearer  correct-horse-battery", true)]
    [InlineData("Bearer correct-horse-batter", false)]
    [InlineData("Bearer correct-horse-battery2", false)]
    [InlineData("Bearer Correct-horse-battery", false)]
    [InlineData("Bearer", false)]
    [InlineData("Basic correct-horse-battery", false)]
    [InlineData("correct-horse-battery", false)]
    [InlineData(null, false)]
    public void Only_the_token_as_bearer_opens(string? field, bool opens)
    {
        var request = new DefaultHttpContext().Request;
        request.Headers.Authorization = field;

        Assert.Equal(opens, AdminGuard.HasToken(request, new Secret("correct-horse-battery")));
    }

    [Fact]
    public void Two_credentials_are_none()
    {
        var request = new DefaultHttpContext().Request;
        request.Headers.Authorization = (string[])["Bearer correct-horse-battery", "Bearer other"];

        Assert.False(AdminGuard.HasToken(request, new Secret("correct-horse-battery")));
    }
}
