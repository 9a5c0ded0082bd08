using Tidegate.Control.Store.Segments;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Xunit;

namespace Tidegate.Tests.Control.Store;

public sealed class ExchangeSearchTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 26, 10, 15, 0, TimeSpan.Zero);

    private static readonly ExchangeRecord Record = StoreRecords.Next(new Random(1), 1, Start) with
    {
        Direction = Direction.Egress,
        Api = "stripe",
        Endpoint = "charges",
        Method = "POST",
        Outcome = Outcome.Failed,
        Code = "connect_failed",
        Consumer = new Consumer("billing", "acme", "production"),
        Destination = "https://a.test:443",
        Region = "eu",
        Credential = "first",
        Host = "api.stripe.com",
        Path = "/v1/charges/12",
        Status = 502,
        Total = TimeSpan.FromMilliseconds(300),
    };

    private static ExchangeSearch Any => new() { From = Start, To = Start };

    [Fact]
    public void What_is_not_asked_for_does_not_matter() => Assert.True(Any.Fits(Record));

    [Fact]
    public void Each_question_is_asked()
    {
        (ExchangeSearch Yes, ExchangeSearch No)[] questions =
        [
            (Any with { Direction = "egress" }, Any with { Direction = "ingress" }),
            (Any with { Api = "stripe" }, Any with { Api = "Stripe" }),
            (Any with { Endpoint = "charges" }, Any with { Endpoint = "" }),
            (Any with { Method = "POST" }, Any with { Method = "post" }),
            (Any with { Outcome = "failed" }, Any with { Outcome = "rejected" }),
            (Any with { Code = "connect_failed" }, Any with { Code = "" }),
            (Any with { Consumer = "billing" }, Any with { Consumer = "bill" }),
            (Any with { Tenant = "acme" }, Any with { Tenant = "globex" }),
            (Any with { Environment = "production" }, Any with { Environment = "staging" }),
            (Any with { Destination = "https://a.test:443" }, Any with { Destination = "https://a.test" }),
            (Any with { Region = "eu" }, Any with { Region = "us" }),
            (Any with { Credential = "first" }, Any with { Credential = "second" }),
            (Any with { Host = "api.stripe.com" }, Any with { Host = "stripe.com" }),
            (Any with { Path = "/charges/" }, Any with { Path = "/CHARGES/" }),
            (Any with { Status = (500, 599) }, Any with { Status = (400, 499) }),
            (Any with { Status = (502, 502) }, Any with { Status = (0, 0) }),
            (Any with { AtLeast = TimeSpan.FromMilliseconds(300) }, Any with { AtLeast = TimeSpan.FromMilliseconds(301) }),
        ];
        Assert.All(questions, question =>
        {
            Assert.True(question.Yes.Fits(Record), question.Yes.ToString());
            Assert.False(question.No.Fits(Record), question.No.ToString());
        });
    }

    [Fact]
    public void All_questions_must_fit_and_not_one()
    {
        Assert.True((Any with { Api = "stripe", Status = (502, 502) }).Fits(Record));
        Assert.False((Any with { Api = "stripe", Status = (200, 200) }).Fits(Record));
    }
}
