using Tidegate.Exchanges;
using Tidegate.Policies.Capture;
using Tidegate.Tests.Exchanges;
using Xunit;

namespace Tidegate.Tests.Policies.Capture;

/// <summary>What is kept of an exchange's fields.</summary>
public sealed class CapturePolicyTests
{
    [Fact]
    public async Task Fields_whose_names_say_nothing_are_judged_by_their_values()
    {
        var store = new CaptureStore();
        var policy = new CapturePolicy(new CaptureSettings { Version = 1, Sample = 1, Redaction = new Redaction([]) }, store, static () => 0, TimeProvider.System);
        var exchange = TestExchange.Of(
            Direction.Ingress,
            ("X-Amzn-Oidc-Data", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx"),
            ("X-Forwarded-User", "Bearer hunter2"),
            ("X-Context", "{\"password\":\"hunter2\"}"),
            ("X-GitHub-OTP", "123456"),
            ("X-Name", "Ada"));
        exchange.Id = 7;
        await policy.InvokeAsync(exchange, static attempt =>
        {
            attempt.Answer(Outcome.Forwarded, 200);
            return default;
        });
        exchange.EndAnswer(downTo: 0);
        Assert.True(SpinWait.SpinUntil(() => store.Find(7) is not null, TimeSpan.FromSeconds(60)));

        Assert.Equal(["***", "***", "***", "***", "Ada"], store.Find(7)!.Request.Fields.Select(field => field.Value));
    }
}
