// HAPI's generic client goes through the scenario. Usage: java Scenario FHIR_BASE KEY FOLDER_OF_SCENARIO_JSON
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.parser.IParser;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.client.api.ServerValidationModeEnum;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.interceptor.BearerTokenAuthInterceptor;
import ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CapabilityStatement;
import org.hl7.fhir.r4.model.CodeType;
import org.hl7.fhir.r4.model.DateType;
import org.hl7.fhir.r4.model.IntegerType;
import org.hl7.fhir.r4.model.Observation;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.Parameters;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.Resource;
import org.hl7.fhir.r4.model.StringType;

public final class Scenario {
  interface Step {
    void run() throws Exception;
  }

  private final FhirContext context = FhirContext.forR4();
  private final String value = UUID.randomUUID().toString();
  private final JsonNode whole;
  private final IGenericClient fhir;
  private Patient patient;

  private Scenario(String base, String key, Path folder) throws Exception {
    whole = new ObjectMapper().readTree(Files.readString(folder.resolve("scenario.json")));
    // The client asks for the CapabilityStatement before anything else, as it does unless told not to.
    context.getRestfulClientFactory().setServerValidationMode(ServerValidationModeEnum.ONCE);
    fhir = context.newRestfulGenericClient(base);
    fhir.registerInterceptor(new BearerTokenAuthInterceptor(key));
  }

  private <T extends Resource> T resource(Class<T> type, String name, int n) {
    IParser parser = context.newJsonParser();
    String text = whole.get(name).toString().replace("{value}", value).replace("{n}", Integer.toString(n));
    return parser.parseResource(type, text);
  }

  private String text(String name) {
    return whole.get(name).asText();
  }

  private Bundle transaction() {
    Bundle bundle = new Bundle().setType(Bundle.BundleType.TRANSACTION);
    for (int n = 1; n <= whole.get("observations").asInt(); n++) {
      bundle.addEntry().setResource(resource(Observation.class, "observation", n)).getRequest()
          .setMethod(Bundle.HTTPVerb.POST).setUrl("Observation");
    }
    bundle.addEntry().setFullUrl(resource(Observation.class, "observation", 1).getSubject().getReference())
        .setResource(resource(Patient.class, "patient", 0)).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Patient")
        .setIfNoneExist("identifier=" + text("system") + "|" + value);
    return bundle;
  }

  private String identifier() {
    return "Patient?identifier=" + text("system") + "|" + value;
  }

  private static void equal(Object actual, Object expected) {
    if (!Objects.equals(actual, expected)) {
      throw new AssertionError(actual + " is not " + expected);
    }
  }

  private static List<String> minutes(Bundle bundle, Bundle.SearchEntryMode mode) {
    return bundle.getEntry().stream().filter(entry -> mode == null || entry.getSearch().getMode() == mode)
        .map(entry -> ((Observation) entry.getResource()).getEffectiveDateTimeType().getValueAsString().substring(14, 16))
        .toList();
  }

  private static void refused(Step step, int status, String code, String expression) throws Exception {
    try {
      step.run();
    } catch (BaseServerResponseException refusal) {
      equal(refusal.getStatusCode(), status);
      OperationOutcome.OperationOutcomeIssueComponent issue =
          ((OperationOutcome) refusal.getOperationOutcome()).getIssueFirstRep();
      equal(issue.getCode().toCode(), code);
      if (expression != null) {
        equal(issue.getExpression().get(0).getValue(), expression);
      }
      return;
    }
    throw new AssertionError("was not refused");
  }

  private MethodOutcome update(String birthDate) {
    Patient changed = patient.copy();
    changed.setBirthDateElement(new DateType(birthDate));
    // What was read in version 1 is written back with If-Match by the client itself.
    return fhir.update().resource(changed).execute();
  }

  private Map<String, Step> steps() {
    Map<String, Step> steps = new LinkedHashMap<>();
    steps.put("reads the capability statement", () -> {
      CapabilityStatement statement = fhir.capabilities().ofType(CapabilityStatement.class).execute();
      equal(statement.getFhirVersion().toCode(), "4.0.1");
      equal(statement.getRestFirstRep().getResource().stream().anyMatch(one -> one.getType().equals("Observation")), true);
    });
    steps.put("creates under a condition, once", () -> {
      MethodOutcome first = fhir.create().resource(resource(Patient.class, "patient", 0)).conditionalByUrl(identifier())
          .execute();
      MethodOutcome again = fhir.create().resource(resource(Patient.class, "patient", 0)).conditionalByUrl(identifier())
          .execute();
      equal(first.getCreated(), true);
      equal(again.getId().getIdPart(), first.getId().getIdPart());
      equal(again.getId().getVersionIdPart(), "1");
      patient = fhir.read().resource(Patient.class).withId(first.getId().getIdPart()).execute();
    });
    steps.put("reads it and its first version", () -> {
      String id = patient.getIdElement().getIdPart();
      equal(fhir.read().resource(Patient.class).withId(id).execute().equalsDeep(patient), true);
      equal(fhir.read().resource(Patient.class).withIdAndVersion(id, "1").execute().equalsDeep(patient), true);
    });
    steps.put("updates it with If-Match", () -> equal(update("1980-02-29").getId().getVersionIdPart(), "2"));
    steps.put("is refused with an If-Match that is stale",
        () -> refused(() -> update("1981-01-01"), 412, "conflict", null));
    steps.put("patches it", () -> {
      Parameters patch = new Parameters();
      Parameters.ParametersParameterComponent operation = patch.addParameter().setName("operation");
      operation.addPart().setName("type").setValue(new CodeType("add"));
      operation.addPart().setName("path").setValue(new StringType("Patient"));
      operation.addPart().setName("name").setValue(new StringType("gender"));
      operation.addPart().setName("value").setValue(new CodeType("other"));
      MethodOutcome patched = fhir.patch().withFhirPatch(patch).withId(patient.getIdElement().toUnqualifiedVersionless())
          .execute();
      equal(patched.getId().getVersionIdPart(), "3");
      Patient now = fhir.read().resource(Patient.class).withId(patient.getIdElement().getIdPart()).execute();
      equal(now.getGender().toCode(), "other");
      equal(now.getBirthDateElement().getValueAsString(), "1980-02-29");
    });
    steps.put("sends a transaction", () -> {
      Bundle answer = fhir.transaction().withBundle(transaction()).execute();
      List<String> statuses =
          answer.getEntry().stream().map(entry -> entry.getResponse().getStatus().substring(0, 3)).toList();
      equal(statuses, List.of("201", "201", "201", "201", "201", "200"));
    });
    steps.put("searches page by page with what is referred to", () -> {
      List<String> minutes = new ArrayList<>();
      Bundle page = fhir.search().forResource(Observation.class)
          .where(Observation.SUBJECT.hasId(patient.getIdElement().toUnqualifiedVersionless()))
          .and(Observation.CODE.exactly().systemAndIdentifier(
              text("code").split("\\|")[0], text("code").split("\\|")[1]))
          .sort().descending(Observation.DATE).include(Observation.INCLUDE_SUBJECT).count(2)
          .returnBundle(Bundle.class).execute();
      while (page != null) {
        minutes.addAll(minutes(page, Bundle.SearchEntryMode.MATCH));
        List<String> included = page.getEntry().stream()
            .filter(entry -> entry.getSearch().getMode() == Bundle.SearchEntryMode.INCLUDE)
            .map(entry -> entry.getResource().getIdElement().getIdPart()).toList();
        equal(included, List.of(patient.getIdElement().getIdPart()));
        page = page.getLink(Bundle.LINK_NEXT) == null ? null : fhir.loadPage().next(page).execute();
      }
      equal(minutes, List.of("05", "04", "03", "02", "01"));
    });
    steps.put("asks for the last of a code", () -> {
      Bundle last = fhir.operation().onType(Observation.class).named("$lastn")
          .withParameter(Parameters.class, "patient", new StringType("Patient/" + patient.getIdElement().getIdPart()))
          .andParameter("code", new StringType(text("code"))).andParameter("max", new IntegerType(2))
          .useHttpGet().returnResourceType(Bundle.class).execute();
      equal(minutes(last, null), List.of("05", "04"));
    });
    steps.put("reads its history", () -> {
      Bundle history = fhir.history().onInstance(patient.getIdElement().toUnqualifiedVersionless())
          .returnBundle(Bundle.class).execute();
      equal(history.getEntry().stream().map(entry -> entry.getResource().getMeta().getVersionId()).toList(),
          List.of("3", "2", "1"));
    });
    steps.put("deletes it", () -> {
      fhir.delete().resourceById(patient.getIdElement().toUnqualifiedVersionless()).execute();
      refused(() -> fhir.read().resource(Patient.class).withId(patient.getIdElement().getIdPart()).execute(), 410,
          "deleted", null);
    });
    steps.put("is told what is not there",
        () -> refused(() -> fhir.read().resource(Patient.class).withId("nobody").execute(), 404, "not-found", null));
    steps.put("is told which parameter is wrong", () -> refused(
        () -> fhir.search().byUrl("Observation?date=yesterday").returnBundle(Bundle.class).execute(), 400, "value", "date"));
    return steps;
  }

  public static void main(String[] arguments) throws Exception {
    Scenario scenario = new Scenario(arguments[0], arguments[1], Path.of(arguments[2]));
    Map<String, Step> steps = scenario.steps();
    List<String> names = new ArrayList<>();
    scenario.whole.get("steps").forEach(step -> names.add(step.asText()));
    equal(List.copyOf(steps.keySet()), names);
    int failed = 0;
    for (String name : names) {
      try {
        steps.get(name).run();
        System.out.println("ok - hapi: " + name);
      } catch (Exception | AssertionError error) {
        failed++;
        System.out.println("not ok - hapi: " + name + ": " + error);
        error.printStackTrace(System.out);
      }
    }
    System.exit(failed == 0 ? 0 : 1);
  }
}
