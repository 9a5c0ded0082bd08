using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Inventory;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Control.Inventory;

/// <summary>What is found from traffic, and what is not.</summary>
public sealed class InventoryTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 26, 10, 0, 0, TimeSpan.Zero));
    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-inventory-").FullName;
    private readonly List<string> _log = [];

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("/v1/charges/ch_000001", "/v1/charges/{id}")]
    [InlineData("/v1/customers/cus_9s6XKzkNRiz8i3/sources", "/v1/customers/{id}/sources")]
    [InlineData("/v2/tracking/TG000000042", "/v2/tracking/{id}")]
    [InlineData("/orders/7/lines/12", "/orders/{id}/lines/{id}")]
    [InlineData("/users/3f2504e0-4f89-41d3-9a0c-0305e82c3301", "/users/{uuid}")]
    [InlineData("/objects/507f1f77bcf86cd799439011", "/objects/{id}")]
    [InlineData("/reports/2026-11-26", "/reports/{date}")]
    [InlineData("/reports/2026-11-26T10:00:00Z", "/reports/{date}")]
    [InlineData("/blog/how-we-moved-to-tidegate", "/blog/{slug}")]
    [InlineData("/blog/top-10-gateways", "/blog/{slug}")]
    [InlineData("/session/dGhpc0lzQVRva2VuMTIz", "/session/{token}")]
    [InlineData("/mail/a@b.example", "/mail/{text}")]
    [InlineData("/v1beta/models/gemini-2.0-flash:generateContent", "/v1beta/models/{slug}:generateContent")]
    [InlineData("/v1beta/models/gemini-2.0-flash:streamGenerateContent", "/v1beta/models/{slug}:streamGenerateContent")]
    [InlineData("/v1/operations/12:cancel", "/v1/operations/{id}:cancel")]
    [InlineData("/v1/orders:batchGet", "/v1/orders:batchGet")]
    [InlineData("/times/12:30", "/times/{id}")]
    [InlineData("/v1/chat/completions", "/v1/chat/completions")]
    [InlineData("/v1/payment_intents", "/v1/payment_intents")]
    [InlineData("/v1beta1/models", "/v1beta1/models")]
    [InlineData("/oauth2/token", "/oauth2/token")]
    [InlineData("/repos/s3/buckets", "/repos/s3/buckets")]
    [InlineData("/bulk-import-jobs", "/bulk-import-jobs")]
    [InlineData("/", "/")]
    [InlineData("/a/{evil}", "/a/{evil}")]
    public async Task What_names_a_thing_is_a_parameter_and_what_names_an_operation_is_not(string path, string template)
    {
        await using var inventory = New();
        await SeeAsync(inventory, TestRecords.Egress with { Path = path });

        Assert.Equal([template], PathsOf(inventory, "api.stripe.com"));
    }

    [Fact]
    public async Task Where_names_are_too_many_they_were_values_and_what_is_below_them_is_one()
    {
        await using var inventory = New();
        for (var i = 0; i < PathNode.MaxNames + 20; i++)
        {
            await SeeAsync(inventory, TestRecords.Egress with { Path = $"/v1/cities/{Word(i)}/weather" }, TestRecords.Egress with { Path = "/v1/cities/7" });
        }

        Assert.Equal(["/v1/cities/{id}", "/v1/cities/{value}/weather"], PathsOf(inventory, "api.stripe.com"));
        Assert.Equal(PathNode.MaxNames + 20, Host(inventory, "api.stripe.com").Paths.All().Single(found => found.Path.EndsWith("weather", StringComparison.Ordinal)).Endpoint.Calls);
    }

    [Fact]
    public async Task Verbs_behind_a_parameter_are_few_and_more_of_them_were_parts_of_values()
    {
        await using var inventory = New();
        for (var i = 0; i < 100; i++)
        {
            await SeeAsync(inventory, TestRecords.Egress with { Path = $"/orders/{1000 + i}:{string.Concat((char)('a' + (i % 26)), (char)('a' + (i / 26)), "lice")}" });
        }

        var paths = PathsOf(inventory, "api.stripe.com").ToList();
        Assert.Equal(17, paths.Count);
        Assert.Contains("/orders/{id}", paths);
        Assert.Equal(84, Host(inventory, "api.stripe.com").Paths.All().Single(found => found.Path == "/orders/{id}").Endpoint.Calls);
    }

    [Fact]
    public async Task A_call_of_a_name_that_became_a_value_is_counted_with_the_others_though_it_is_remembered()
    {
        await using var inventory = New();
        var early = TestRecords.Egress with { Path = "/v1/cities/early" };
        await SeeAsync(inventory, early, early);
        for (var i = 0; i < PathNode.MaxNames + 1; i++)
        {
            await SeeAsync(inventory, TestRecords.Egress with { Path = $"/v1/cities/{string.Concat((char)('a' + (i % 26)), (char)('a' + (i / 26)), "ville")}" });
        }

        await SeeAsync(inventory, early, early with { Outcome = Outcome.Rejected, Status = 429 });
        var found = Assert.Single(Host(inventory, "api.stripe.com").Paths.All());
        Assert.Equal(("/v1/cities/{value}", PathNode.MaxNames + 4), (found.Path, (int)found.Endpoint.Calls));
        Assert.Equal((PathNode.MaxNames + 5, 1), ((int)Host(inventory, "api.stripe.com").Calls, (int)Host(inventory, "api.stripe.com").Rejected));
    }

    [Fact]
    public async Task An_endpoint_has_its_callers_its_keys_by_name_and_when_it_was_seen()
    {
        await using var inventory = New();
        var first = TestRecords.Egress with { Auth = AuthFields.Authorization, Endpoint = "charges" };
        await SeeAsync(inventory, first, first with { Started = first.Started.AddHours(1), Auth = AuthFields.Cookie, Consumer = Consumer.Anonymous, Query = "access_token=***", Status = 503 }, first with { Method = "POST", Status = 422 });

        var host = Host(inventory, "api.stripe.com");
        var get = host.Paths.All().Single(found => found.Endpoint.Method == "GET").Endpoint;
        Assert.Equal(("stripe", "charges", 2, 1), (get.Api, get.Endpoint, get.Calls, get.Errors));
        Assert.Equal(["authorization", "cookie", "query"], InventoryJson.AuthOf(get));
        Assert.Equal(["billing", "anonymous"], get.Callers);
        Assert.Equal((first.Started, first.Started.AddHours(1)), (get.FirstSeen, get.LastSeen));
        Assert.Equal(2, host.Paths.All().Count());
        Assert.Equal("v1", InventoryJson.VersionOf("/v1/charges"));
    }

    [Fact]
    public async Task What_was_only_guessed_at_is_no_endpoint_and_a_refused_host_is_known_as_such()
    {
        await using var inventory = New();
        await SeeAsync(
            inventory,
            TestRecords.Egress with { Path = "/wp-admin", Status = 404 },
            TestRecords.Egress with { Path = "/down", Outcome = Outcome.Failed, Status = 502 },
            TestRecords.Refused with { Direction = Direction.Egress, Api = "", Host = "evil.example", Code = "host_not_listed" },
            TestRecords.Refused with { Path = "/orders/secret" },
            TestRecords.Egress with { Api = "", Host = "guess.example", Outcome = Outcome.Failed, Status = 502 });

        Assert.Empty(PathsOf(inventory, "api.stripe.com"));
        Assert.True(Host(inventory, "evil.example").IsDenied);
        Assert.Empty(PathsOf(inventory, "orders"));
        Assert.DoesNotContain(All(inventory), host => host.Host == "guess.example");
    }

    [Fact]
    public async Task A_client_that_invents_hosts_and_paths_finds_a_bound_and_is_counted()
    {
        await using var inventory = New();
        for (var i = 0; i < ApiInventory.MaxHosts + 10; i++)
        {
            await SeeAsync(inventory, TestRecords.Egress with { Api = "", Host = $"h{i}.example" });
        }

        Assert.Equal((ApiInventory.MaxHosts, 10), (All(inventory).Count, inventory.DroppedHosts));
        for (var i = 0; i < FoundHost.MaxEndpoints + 10; i++)
        {
            await SeeAsync(inventory, TestRecords.Egress with { Host = "h0.example", Path = $"/{Word(i / 26)}/{Word(i % 26)}" });
        }

        Assert.InRange(Host(inventory, "h0.example").Paths.All().Count(), 1, FoundHost.MaxEndpoints);
        Assert.Equal(11, inventory.DroppedEndpoints);
    }

    [Fact]
    public async Task Methods_that_a_client_invents_are_one_and_a_redirection_shows_no_endpoint()
    {
        await using var inventory = New();
        await SeeAsync(
            inventory,
            TestRecords.Egress with { Path = "/dav", Method = "PROPFIND" },
            TestRecords.Egress with { Path = "/dav", Method = "INVENTED" },
            TestRecords.Egress with { Path = "/cached", Status = 304 },
            TestRecords.Egress with { Path = "/socket", Status = 101 },
            TestRecords.Egress with { Path = "/whatever", Status = 301 },
            TestRecords.Egress with { Path = "/login", Status = 302 });

        Assert.Equal(["/cached", "/dav", "/socket"], PathsOf(inventory, "api.stripe.com"));
        Assert.Equal(("other", 2), Host(inventory, "api.stripe.com").Paths.All().Where(found => found.Path == "/dav").Select(found => (found.Endpoint.Method, found.Endpoint.Calls)).Single());
    }

    [Fact]
    public async Task Hosts_that_nobody_listed_leave_room_for_those_that_are()
    {
        await using (var inventory = New(_directory))
        {
            for (var i = 0; i < ApiInventory.MaxHosts + 1; i++)
            {
                await SeeAsync(inventory, TestRecords.Egress with { Api = "", Host = $"h{i}.example" });
            }

            await SeeAsync(inventory, TestRecords.Egress, TestRecords.Ingress);
            Assert.Equal(1, inventory.DroppedHosts);
        }

        await using var again = New(_directory);
        Assert.Equal(ApiInventory.MaxHosts + 2, All(again).Count);
        for (var i = 0; i < ApiInventory.MaxListedHosts + 10; i++)
        {
            await SeeAsync(again, TestRecords.Egress with { Host = $"l{i}.example" });
        }

        Assert.Equal(ApiInventory.MaxHosts + ApiInventory.MaxListedHosts, All(again).Count);
    }

    [Fact]
    public async Task A_value_beside_names_leaves_them_names()
    {
        await using (var inventory = New(_directory))
        {
            await SeeAsync(inventory, TestRecords.Egress with { Path = "/v1/me@x.example" }, TestRecords.Egress with { Path = "/v1/a%20b" }, TestRecords.Egress with { Path = "/v1/{value}" }, TestRecords.Egress with { Path = "/v1/charges" });
            Assert.Equal(["/v1/charges", "/v1/{text}"], PathsOf(inventory, "api.stripe.com"));
        }

        await using var again = New(_directory);
        await SeeAsync(again, TestRecords.Egress with { Path = "/v1/refunds" });
        Assert.Equal(["/v1/charges", "/v1/refunds", "/v1/{text}"], PathsOf(again, "api.stripe.com"));
    }

    [Fact]
    public async Task What_were_values_before_a_restart_are_values_after_it()
    {
        await using (var inventory = New(_directory))
        {
            for (var i = 0; i <= PathNode.MaxNames; i++)
            {
                await SeeAsync(inventory, TestRecords.Egress with { Path = $"/cities/{Word(i)}" });
            }
        }

        await using var again = New(_directory);
        await SeeAsync(again, TestRecords.Egress with { Path = "/cities/newville" }, TestRecords.Egress with { Path = "/cities/v2" }, TestRecords.Egress with { Path = "/cities/" });
        Assert.Equal(["/cities/", "/cities/v2", "/cities/{value}"], PathsOf(again, "api.stripe.com"));
    }

    [Fact]
    public async Task A_value_that_an_older_file_has_beside_names_is_one_of_text()
    {
        const string Endpoint = """{"method":"GET","api":"","endpoint":"","first_seen":"2026-11-26T10:00:00+00:00","last_seen":"2026-11-26T10:00:00+00:00","calls":1,"path":""";
        await File.WriteAllTextAsync(
            Path.Combine(_directory, ApiInventory.FileName),
            $$$"""{"version":1,"hosts":[{"direction":"egress","host":"api.stripe.com","apis":[],"calls":2,"endpoints":[{{{Endpoint}}}"/v1/charges"},{{{Endpoint}}}"/v1/{value}"}]}]}""",
            TestContext.Current.CancellationToken);
        await using var inventory = New(_directory);
        await SeeAsync(inventory, TestRecords.Egress with { Path = "/v1/refunds" });

        Assert.Equal(["/v1/charges", "/v1/refunds", "/v1/{text}"], PathsOf(inventory, "api.stripe.com"));
    }

    [Fact]
    public async Task Neither_the_end_of_a_path_nor_a_version_is_one_of_too_many_names()
    {
        await using var inventory = New();
        await SeeAsync(inventory, TestRecords.Egress with { Path = "/cities/" });
        for (var i = 0; i < PathNode.MaxNames; i++)
        {
            await SeeAsync(inventory, TestRecords.Egress with { Path = $"/cities/{Word(i)}" });
        }

        await SeeAsync(inventory, TestRecords.Egress with { Path = "/cities/v2/weather" });
        Assert.Equal(PathNode.MaxNames + 2, PathsOf(inventory, "api.stripe.com").Count());
        await SeeAsync(inventory, TestRecords.Egress with { Path = "/cities/newville" });

        Assert.Equal(["/cities/", "/cities/v2/weather", "/cities/{value}"], PathsOf(inventory, "api.stripe.com"));
    }

    [Fact]
    public async Task It_is_the_same_after_a_restart_and_begins_anew_when_its_file_is_broken()
    {
        var before = "";
        await using (var inventory = New(_directory))
        {
            await SeeAsync(inventory, TestRecords.Egress with { Auth = AuthFields.Key, Query = "key=***" }, TestRecords.Egress with { Path = "/v1/charges/ch_000001" }, TestRecords.Ingress, TestRecords.Egress with { Host = "10.0.0.1", Port = 8443 });
            before = Text(inventory);
        }

        await using (var inventory = New(_directory))
        {
            Assert.Equal(before, Text(inventory));
            await SeeAsync(inventory, TestRecords.Egress);
            Assert.Equal(3, Host(inventory, "api.stripe.com").Calls);
        }

        var file = Path.Combine(_directory, ApiInventory.FileName);
        await File.WriteAllTextAsync(file, "{\"hosts\":[{]", TestContext.Current.CancellationToken);
        await using var anew = New(_directory);
        Assert.Empty(All(anew));
        Assert.Contains("set aside as inventory.json.corrupt", Assert.Single(_log), StringComparison.Ordinal);
        Assert.True(File.Exists(file + ".corrupt"));
    }

    [Fact]
    public async Task It_is_saved_while_it_runs()
    {
        await using var inventory = New(_directory);
        await SeeAsync(inventory, TestRecords.Egress);
        inventory.Save();

        Assert.True(File.Exists(Path.Combine(_directory, ApiInventory.FileName)));
    }

    [Theory]
    [InlineData("Authorization", AuthFields.Authorization)]
    [InlineData("X-Api-Key", AuthFields.Key)]
    [InlineData("x-goog-api-key", AuthFields.Key)]
    [InlineData("Private-Token", AuthFields.Key)]
    [InlineData("Cookie", AuthFields.Cookie)]
    [InlineData("Idempotency-Key", AuthFields.None)]
    [InlineData("Sec-WebSocket-Key", AuthFields.None)]
    [InlineData("User-Agent", AuthFields.None)]
    public void A_field_says_who_sends_a_request_by_its_name(string name, AuthFields expected)
    {
        var fields = new HeaderList();
        fields.Add(name, "secret");

        Assert.Equal(expected, AuthFieldNames.Of(fields));
    }

    private static string Word(int number) => string.Concat((char)('a' + (number % 26)), (char)('a' + (number / 26)), "ville");

    private ApiInventory New(string? directory = null) => new(directory, _log.Add, _time);

    private static async Task SeeAsync(ApiInventory inventory, params ExchangeRecord[] records) => await inventory.WriteAsync(records, TestContext.Current.CancellationToken);

    private static IReadOnlyList<FoundHost> All(ApiInventory inventory)
    {
        var hosts = new List<FoundHost>();
        inventory.Read(hosts.Add);
        return hosts;
    }

    private static FoundHost Host(ApiInventory inventory, string name) => All(inventory).Single(host => host.Host == name);

    private static IEnumerable<string> PathsOf(ApiInventory inventory, string host) => Host(inventory, host).Paths.All().Select(found => found.Path).Distinct();

    private static string Text(ApiInventory inventory) => System.Text.Encoding.UTF8.GetString(InventoryFile.Write(All(inventory)));
}
